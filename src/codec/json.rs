//! JSON through serde.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, CodecError, Json};

impl<T: Serialize + DeserializeOwned> Codec<T> for Json {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        serde_json::to_writer(out, value).map_err(anonymous)
    }

    fn decode(&self, message: &[u8]) -> Result<T, CodecError> {
        serde_json::from_slice(message).map_err(anonymous)
    }
}

/// Says what kind of mistake it is and where, without the words of serde's own message: those
/// quote the value they stumbled over.
fn anonymous(error: serde_json::Error) -> CodecError {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Io => "JSON could not be written",
        Category::Syntax => "the message is not JSON",
        Category::Data => "the JSON is not of the expected type",
        Category::Eof => "the JSON ends too early",
    };
    CodecError(format!("{what} (line {}, column {})", error.line(), error.column()).into())
}
