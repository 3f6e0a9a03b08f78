//! Postcard through serde.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, CodecError, Postcard};

impl<T: Serialize + DeserializeOwned> Codec<T> for Postcard {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        postcard::serialize_with_flavor(value, Appender(out))
            .map_err(|error| CodecError(error.into()))
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

/// A borrowed vector as postcard's sink, behind what it holds already.
struct Appender<'a>(&'a mut Vec<u8>);

impl Flavor for Appender<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
