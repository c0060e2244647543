//! The templates of rows that are handed out, as columns. Of segments they are kept; of heads they are
//! mined when they are asked for.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, RecordBatch, RecordBatchOptions, StringArray, UInt32Array,
};
use arrow::datatypes::{Field, Schema, UInt32Type};
use throughline_model::schema::{self, col};
use throughline_model::template::Template;

use super::ScanColumn;
use crate::segment::mine;
use crate::{Error, Result};

/// The text of a template's id.
pub(crate) fn id_text(hash: u64) -> String {
    format!("{hash:016x}")
}

/// The templates of rows that are about to be handed out.
pub(crate) struct TemplateRows {
    texts: ArrayRef,
    ids: ArrayRef,
    /// Numbers, each of so many rows.
    rows: VecDeque<(u32, usize)>,
}

impl TemplateRows {
    pub(crate) fn new(templates: &[Template], rows: VecDeque<(u32, usize)>) -> Result<Self> {
        if let Some((number, _)) = rows.iter().find(|(n, _)| *n as usize >= templates.len()) {
            return Err(Error::corrupt(format!("template {number} of {}", templates.len())));
        }
        let texts = templates.iter().map(|template| template.text.as_str());
        let ids = templates.iter().map(|template| id_text(template.hash));
        Ok(Self {
            texts: Arc::new(StringArray::from_iter_values(texts)),
            ids: Arc::new(StringArray::from_iter_values(ids)),
            rows,
        })
    }

    /// Puts the columns where they belong among those of a batch of the next rows.
    pub(crate) fn add_to(
        &mut self,
        batch: &RecordBatch,
        columns: &[ScanColumn],
    ) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut numbers = Vec::with_capacity(rows);
        while numbers.len() < rows {
            let Some((number, left)) = self.rows.front_mut() else {
                return Err(Error::corrupt("rows have no template"));
            };
            let now = (rows - numbers.len()).min(*left);
            numbers.extend(std::iter::repeat_n(*number, now));
            *left -= now;
            if *left == 0 {
                self.rows.pop_front();
            }
        }
        let numbers = UInt32Array::from(numbers);
        let mut others = batch.schema_ref().fields().iter().cloned().zip(batch.columns().to_vec());
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for column in columns {
            let name = column.name();
            let values = match name.as_str() {
                col::TEMPLATE => &self.texts,
                col::TEMPLATE_ID => &self.ids,
                _ => {
                    let (field, array) = others
                        .next()
                        .ok_or_else(|| Error::invalid(format!("column '{name}' was not read")))?;
                    fields.push(field);
                    arrays.push(array);
                    continue;
                }
            };
            let dictionary =
                DictionaryArray::<UInt32Type>::try_new(numbers.clone(), values.clone())?;
            fields.push(Arc::new(Field::new(name, schema::dict_utf8(), false)));
            arrays.push(Arc::new(dictionary) as ArrayRef);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }
}

/// Batches of log records with their templates as further columns.
pub(crate) fn with_templates(batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    let (templates, rows) = mine(batches)?;
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
        templates.iter().map(|template| template.text.as_str()),
    ));
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values(
        templates.iter().map(|template| id_text(template.hash)),
    ));
    let mut out = Vec::with_capacity(batches.len());
    for (batch, numbers) in batches.iter().zip(rows) {
        let numbers = UInt32Array::from(numbers);
        let mut fields = batch.schema_ref().fields().to_vec();
        let mut arrays = batch.columns().to_vec();
        for (name, values) in [(col::TEMPLATE, &texts), (col::TEMPLATE_ID, &ids)] {
            let column = DictionaryArray::<UInt32Type>::try_new(numbers.clone(), values.clone())?;
            fields.push(Arc::new(Field::new(name, schema::dict_utf8(), false)));
            arrays.push(Arc::new(column));
        }
        out.push(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?);
    }
    Ok(out)
}
