//! Columns in the log: what the log holds of a request whose records rules have changed.
//!
//! ```text
//! body := Arrow IPC stream of one batch in `model::schema::logs`
//! ```
//! Inside the encoding of the log record, which is zstd.

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::{Error, Result, schema};

/// The level of zstd.
const LEVEL: i32 = 1;

/// A batch as a body, compressed.
pub fn write(batch: &RecordBatch) -> Result<Vec<u8>> {
    let wrong = |err: &dyn std::fmt::Display| Error::invalid(format!("columns of a rule: {err}"));
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).map_err(|e| wrong(&e))?;
    writer.write(batch).map_err(|err| wrong(&err))?;
    let plain = writer.into_inner().map_err(|err| wrong(&err))?;
    zstd::encode_all(plain.as_slice(), LEVEL).map_err(|err| wrong(&err))
}

/// Reads an inflated body. Refused items were told when it was acknowledged.
pub fn read(body: &[u8]) -> Result<Decoded> {
    let wrong = |err: &dyn std::fmt::Display| Error::corrupt(format!("logged columns: {err}"));
    let mut reader = StreamReader::try_new(body, None).map_err(|err| wrong(&err))?;
    let batch = reader.next().ok_or_else(|| wrong(&"no batch"))?.map_err(|err| wrong(&err))?;
    if batch.schema().fields() != schema::logs().fields() {
        return Err(wrong(&"not those of log records"));
    }
    // The same schema, whatever metadata came along.
    let batch = RecordBatch::try_new(schema::logs(), batch.columns().to_vec());
    let batch = batch.map_err(|err| wrong(&err))?;
    Ok(Decoded { batch: Batch::Logs(batch), rejected: 0, message: String::new() })
}
