//! How much a server may say (RESP2): what is longer, or has more parts, is not read to its end.

/// A line has this many bytes at most: a kind, a number, a word, an error.
const LONGEST_LINE: usize = 4_096;
/// An answer has this many parts at most. The largest is the map of a cluster: 16,384 ranges at most, and who has each.
const MOST_PARTS: usize = 1 << 18;

/// What has gone by of an answer.
#[derive(Default)]
pub(super) struct Framing {
    parts: usize,
    at: At,
}

enum At {
    /// In a line: how long it is so far, whether it says how many bytes come, and how many.
    Line { length: usize, is_bulk: bool, number: usize },
    /// So many bytes come that are not looked at.
    Bulk { left: usize },
}

impl Default for At {
    fn default() -> Self {
        At::Line { length: 0, is_bulk: false, number: 0 }
    }
}

impl Framing {
    /// These bytes go by. False if the answer is one that nobody reads.
    pub(super) fn takes(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.at {
                At::Bulk { left } => {
                    let now = bytes.len().min(*left);
                    bytes = bytes.get(now..).unwrap_or_default();
                    *left = left.saturating_sub(now);
                    if *left == 0 {
                        self.at = At::default();
                    }
                    continue;
                }
                At::Line { length, is_bulk, number } => {
                    *length = length.saturating_add(1);
                    match first {
                        b'\n' => {
                            self.parts = self.parts.saturating_add(1);
                            // The text, and the end of its line.
                            let left = number.saturating_add(2);
                            self.at = if *is_bulk { At::Bulk { left } } else { At::default() };
                        }
                        _ if *length > LONGEST_LINE => return false,
                        b'$' if *length == 1 => *is_bulk = true,
                        // There is none.
                        b'-' if *length == 2 => *is_bulk = false,
                        b'0'..=b'9' => {
                            let digit = usize::from(first.saturating_sub(b'0'));
                            *number = number.saturating_mul(10).saturating_add(digit);
                        }
                        _ => {}
                    }
                }
            }
            bytes = rest;
        }
        self.parts <= MOST_PARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Taken in one piece, and byte by byte.
    fn takes(bytes: &[u8]) -> bool {
        let (mut whole, mut bit) = (Framing::default(), Framing::default());
        let taken = whole.takes(bytes);
        assert_eq!(taken, bytes.chunks(1).all(|byte| bit.takes(byte)));
        taken
    }

    #[test]
    fn what_is_long_or_of_many_parts_is_not_taken() {
        let line = "a".repeat(LONGEST_LINE);
        assert!(!takes(format!("+{line}").as_bytes()));
        assert!(!takes(format!("*2\r\n$3\r\nabc\r\n-{line}").as_bytes()));
        assert!(!takes(format!("$-1\r\n+{line}").as_bytes()));
        assert!(takes(format!("${LONGEST_LINE}\r\n{line}").as_bytes()));
        // A text holds what it will.
        let text = format!("+{line}\r\n${line}");
        assert!(takes(format!("${}\r\n{text}\r\n:1\r\n", text.len()).as_bytes()));
        assert!(!takes(format!("${}\r\n{text}\r\n:{line}\r\n", text.len()).as_bytes()));
        assert!(takes(format!("$0\r\n\r\n${}9\r\n{line}", u64::MAX).as_bytes()));
        assert!(takes(&b":1\r\n".repeat(MOST_PARTS)) && !takes(&b":1\r\n".repeat(MOST_PARTS + 1)));
    }
}
