//! Whether a piece of a secret may be in a text, at the cost of a look at each byte.

use zeroize::{Zeroize, Zeroizing};

use crate::secret::Secret;

/// The shortest piece of a secret that is looked for.
pub(super) const PIECE: usize = 12;

/// True if a spelling of the secret may be shorter than a piece.
pub(super) fn leaves_no_trace(secret: &Secret) -> bool {
    secret.expose().len() < PIECE
}

/// Which three bytes follow each other somewhere in the secrets, roughly: a bit for each by a few of its bits. Whatever spelling
/// a piece of a secret has, what it decodes to is made of such bytes.
pub(super) struct Traces(Box<[u64; TRACES]>);

const TRACES: usize = 1024;

impl Traces {
    pub(super) fn of(secrets: &[Secret]) -> Self {
        let mut bits = Box::new([0_u64; TRACES]);
        let mut mark = |text: &str| {
            for three in text.as_bytes().windows(3) {
                let (word, bit) = Self::place(three);
                if let Some(word) = bits.get_mut(word) {
                    *word |= bit;
                }
            }
        };
        for secret in secrets.iter().map(Secret::expose) {
            mark(secret);
            // Turned around, letters of several bytes are no mirror of their bytes.
            if !secret.is_ascii() {
                mark(&Zeroizing::new(secret.chars().rev().collect::<String>()));
            }
        }
        Traces(bits)
    }

    fn place(three: &[u8]) -> (usize, u64) {
        let number = three.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        // Multiplied by an odd number, the upper bits depend on all of it.
        let hash = number.wrapping_mul(0x9e37_79b1) >> 16;
        ((hash >> 6) as usize, 1_u64 << (hash & 63))
    }

    fn has(&self, three: &[u8]) -> bool {
        let (word, bit) = Self::place(three);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// True if all of it may be in a secret. What is shorter than three bytes says nothing.
    fn have_all(&self, bytes: &[u8]) -> bool {
        bytes.windows(3).all(|three| self.has(three))
    }

    /// True if the piece of a text may be a piece of a secret in one of its spellings, written forwards or backwards.
    pub(super) fn may_be_of(&self, piece: &[u8]) -> bool {
        let mut turned = [0_u8; PIECE];
        for (to, from) in turned.iter_mut().zip(piece.iter().rev()) {
            *to = *from;
        }
        [piece, &turned].into_iter().any(|piece| {
            self.have_all(piece)
                || self.may_be_hex(piece)
                || self.may_be_base64(piece)
                || self.may_be_percent(piece)
        })
    }

    /// Ten of twelve digits at least are whole bytes.
    fn may_be_hex(&self, piece: &[u8]) -> bool {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        (0..2).any(|skip| {
            let mut bytes = [0_u8; PIECE / 2 - 1];
            let digits = piece.get(skip..).unwrap_or_default().chunks_exact(2);
            for (byte, two) in bytes.iter_mut().zip(digits) {
                let [high, low] = two else { return false };
                let Some((high, low)) = digit(high).zip(digit(low)) else { return false };
                *byte = high << 4 | low;
            }
            self.have_all(&bytes)
        })
    }

    /// Eight of twelve characters at least are whole groups, of three bytes each.
    fn may_be_base64(&self, piece: &[u8]) -> bool {
        (0..4_usize).any(|skip| {
            let Some(groups) = piece.get(skip..skip.saturating_add(8)) else { return false };
            let mut bits = 0_u64;
            for byte in groups {
                let Some(six) = base64_digit(*byte) else { return false };
                bits = bits << 6 | u64::from(six);
            }
            let [_, _, bytes @ ..] = bits.to_be_bytes();
            self.have_all(&bytes)
        })
    }

    /// Whole escapes and characters that need none; what is cut at either end says nothing.
    fn may_be_percent(&self, piece: &[u8]) -> bool {
        if !piece.iter().any(|byte| matches!(byte, b'%' | b'+')) {
            return false;
        }
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        (0..3).any(|skip| {
            let mut bytes = Vec::with_capacity(PIECE);
            let mut rest = piece.get(skip..).unwrap_or_default();
            loop {
                rest = match rest {
                    [b'%', high, low, tail @ ..] => {
                        let Some((high, low)) = digit(high).zip(digit(low)) else { return false };
                        bytes.push(high << 4 | low);
                        tail
                    }
                    [b'%', ..] | [] => break,
                    [b'+', tail @ ..] => {
                        bytes.push(b' ');
                        tail
                    }
                    [byte, tail @ ..] => {
                        bytes.push(*byte);
                        tail
                    }
                };
            }
            let may_be = self.have_all(&bytes);
            bytes.zeroize();
            may_be
        })
    }
}

/// The value of a digit of base64, in either alphabet.
fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte.wrapping_sub(b'A')),
        b'a'..=b'z' => Some(byte.wrapping_sub(b'a').wrapping_add(26)),
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0').wrapping_add(52)),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

impl Drop for Traces {
    /// They tell of the secrets.
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
