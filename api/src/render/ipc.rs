//! Results as an Arrow IPC stream. Attribute sets are columns of JSON text, as `query` gives them.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::ipc::writer::StreamWriter;

use crate::error::Result;

/// Media type of the stream.
pub const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// Writes the stream piece by piece: the schema, each batch, the end.
pub struct IpcWriter(StreamWriter<Vec<u8>>);

impl IpcWriter {
    /// A writer for results of this schema.
    pub fn new(schema: &Schema) -> Result<Self> {
        Ok(Self(StreamWriter::try_new(Vec::new(), schema)?))
    }

    /// Appends a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        Ok(self.0.write(batch)?)
    }

    /// Writes the end of the stream.
    pub fn finish(&mut self) -> Result<()> {
        Ok(self.0.finish()?)
    }

    /// What was written since it was taken last.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.0.get_mut())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field};
    use arrow::ipc::reader::StreamReader;

    use super::*;

    #[test]
    fn a_stream_reads_back() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, false),
            Field::new("name", DataType::Utf8, true),
        ]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![1, 2])),
            Arc::new(StringArray::from(vec![Some("x"), None])),
        ];
        let batch = RecordBatch::try_new(schema.clone(), columns).expect("valid");
        let mut writer = IpcWriter::new(&schema).expect("writes");
        let mut stream = writer.take();
        for _ in 0..2 {
            writer.write(&batch).expect("writes");
            stream.extend(writer.take());
        }
        writer.finish().expect("writes");
        stream.extend(writer.take());

        let batches: Vec<RecordBatch> = StreamReader::try_new(stream.as_slice(), None)
            .expect("reads")
            .collect::<std::result::Result<_, _>>()
            .expect("reads");
        assert_eq!(batches, vec![batch.clone(), batch]);
    }
}
