//! Bytes as they are.

use super::{Codec, CodecError};

/// The message is the bytes themselves, any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes;

impl Codec<Vec<u8>> for Bytes {
    fn encode(&self, value: &Vec<u8>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn decode(&self, message: &[u8]) -> Result<Vec<u8>, CodecError> {
        Ok(message.to_vec())
    }

    fn decode_owned(&self, message: &mut Vec<u8>) -> Result<Vec<u8>, CodecError> {
        Ok(std::mem::take(message))
    }
}
