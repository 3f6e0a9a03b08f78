//! Text as it is.

use super::{Codec, CodecError};

/// The message is the text's UTF-8 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text;

impl Codec<String> for Text {
    fn encode(&self, value: &String, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn decode(&self, message: &[u8]) -> Result<String, CodecError> {
        match std::str::from_utf8(message) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(CodecError::new("the message is not UTF-8")),
        }
    }
}
