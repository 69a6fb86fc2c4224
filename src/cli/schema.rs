//! `rundown schema`: prints the JSON Schema of a format. Needs no store.

use std::io::{self, Write};

use clap::ValueEnum;

use super::args::{PrintSchema, SchemaName};
use crate::dump::Document;
use crate::error::{Error, Result};

pub(super) fn print_schema(schema: &PrintSchema) -> Result<u8> {
    let name = schema.name.ok_or_else(unnamed)?;
    let text = Document::from(name).schema();
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Output)?;
    Ok(0)
}

fn unnamed() -> Error {
    let names = SchemaName::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<String> = names.map(|name| name.get_name().to_owned()).collect();
    Error::Usage(format!("`rundown schema` needs a NAME: {}", names.join(", ")))
}

impl From<SchemaName> for Document {
    fn from(name: SchemaName) -> Self {
        match name {
            SchemaName::Run => Self::Run,
            SchemaName::List => Self::List,
            SchemaName::Doctor => Self::Doctor,
            SchemaName::Prune => Self::Prune,
            SchemaName::Jsonl => Self::Jsonl,
            SchemaName::Records => Self::Records,
        }
    }
}
