//! Postcard through serde.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, CodecError, Postcard};

impl<T: Serialize + DeserializeOwned> Codec<T> for Postcard {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        postcard::to_extend(value, Appender(out)).map_err(|error| CodecError(error.into()))?;
        Ok(())
    }

    fn decode(&self, message: &[u8]) -> Result<T, CodecError> {
        // Postcard stops at the end of the value; a message is exactly one value.
        match postcard::take_from_bytes(message) {
            Ok((value, [])) => Ok(value),
            Ok(_) => Err(CodecError::new("bytes follow the value")),
            Err(error) => Err(CodecError(error.into())),
        }
    }
}

/// A borrowed vector as postcard's sink, which wants one it can own.
struct Appender<'a>(&'a mut Vec<u8>);

impl Extend<u8> for Appender<'_> {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        self.0.extend(bytes);
    }
}
