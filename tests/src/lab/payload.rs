//! File contents that can be made again from a number, and their hashes.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use sha2::{Digest as _, Sha256};

/// A file that was published or uploaded, and must arrive exactly so.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    bytes: Vec<u8>,
}

impl Payload {
    /// `len` bytes without any pattern, the same ones for the same `seed`.
    pub fn random(seed: u64, len: usize) -> Self {
        // splitmix64: good enough to make neighbouring blocks differ.
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend(next().to_le_bytes());
        }
        bytes.truncate(len);
        Self { bytes }
    }

    /// Given contents.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
        }
    }

    /// The contents.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Their SHA-256, in hexadecimal.
    pub fn hash(&self) -> String {
        hash(&self.bytes)
    }

    /// That `got` is exactly this.
    pub fn verify(&self, got: &[u8]) -> Result<()> {
        if hash(got) == self.hash() {
            return Ok(());
        }
        let same = self
            .bytes
            .iter()
            .zip(got)
            .take_while(|(a, b)| a == b)
            .count();
        bail!(
            "the file differs: {} bytes with sha256 {} expected, {} bytes with {} got, the first {same} are equal",
            self.bytes.len(),
            self.hash(),
            got.len(),
            hash(got),
        )
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Payload({} bytes, sha256 {})",
            self.bytes.len(),
            self.hash()
        )
    }
}

/// The SHA-256 of some bytes, in hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_bytes() {
        assert_eq!(Payload::random(1, 1001), Payload::random(1, 1001));
        assert_ne!(Payload::random(1, 64), Payload::random(2, 64));
        assert_eq!(Payload::random(1, 13).bytes().len(), 13);
    }

    #[test]
    fn hash_is_sha256() {
        assert_eq!(
            hash(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn a_difference_is_named() {
        let error = Payload::from_bytes("abcd")
            .verify(b"abxd")
            .unwrap_err()
            .to_string();
        assert!(error.contains("the first 2 are equal"), "{error}");
    }
}
