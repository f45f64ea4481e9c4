//! The slots of a cluster: which a record has, and who has them.

use redis::Value;

use super::address::Address;
use super::answers::text;

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// The slot of a record (Redis Cluster specification): what stands between the first `{` and the next `}` decides, if anything does.
pub(super) fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let behind = key.get(open.saturating_add(1)..)?;
        let close = behind.iter().position(|byte| *byte == b'}')?;
        behind.get(..close).filter(|tag| !tag.is_empty())
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOTS
}

/// Where `MOVED` and `ASK` send to: `slot host:port`, without the host if it is the same.
pub(super) fn moved(details: &str, from: &Address) -> Option<Address> {
    let (host, port) = details.split(' ').nth(1)?.rsplit_once(':')?;
    node(host, port.parse().ok()?, from)
}

fn node(host: &str, port: u16, from: &Address) -> Option<Address> {
    match (host, from) {
        ("", Address::Host(host, _)) => Some(Address::Host(host.clone(), port)),
        ("" | "?", _) => None,
        _ => Some(Address::Host(host.trim_matches(['[', ']']).to_owned(), port)),
    }
}

/// The answer of `CLUSTER SLOTS`.
pub(super) fn map(answer: &Value, from: &Address) -> Option<Vec<(u16, u16, Address)>> {
    let Value::Array(ranges) = answer else { return None };
    let mut slots = Vec::new();
    for range in ranges {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = parts.as_slice() else {
            return None;
        };
        let [host, Value::Int(port), ..] = master.as_slice() else { return None };
        let host = text(host).unwrap_or_default();
        let address = node(host, u16::try_from(*port).ok()?, from)?;
        slots.push((u16::try_from(*first).ok()?, u16::try_from(*last).ok()?, address));
    }
    Some(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // The check value of the sum, and what CLUSTER KEYSLOT says on Redis 7.0.
        assert_eq!(crc16::State::<crc16::XMODEM>::calculate(b"123456789"), 0x31C3);
        assert_eq!((slot(b"123456789"), slot(b"foo"), slot(b"")), (12_739, 12_182, 0));
        assert_eq!((slot(b"a{foo}b"), slot(b"{foo}{bar}"), slot(b"{{foo}")), (12_182, 12_182, slot(b"{foo")));
        assert_ne!(slot(b"{}foo"), slot(b"foo"));
        assert_ne!(slot(b"{foo"), slot(b"foo"));
    }

    #[test]
    fn a_server_sends_to_another_one() {
        let from = Address::Host("here".to_owned(), 1);
        let shown = |details: &str| moved(details, &from).map(|to| to.to_string());
        assert_eq!(shown("3999 10.0.0.1:7000").as_deref(), Some("10.0.0.1:7000"));
        assert_eq!(shown("3999 :7000").as_deref(), Some("here:7000"));
        assert_eq!(shown("3999 ::1:7000").as_deref(), Some("[::1]:7000"));
        for details in ["", "3999", "3999 x", "3999 x:y", "3999 x:70000", "3999 ?:1"] {
            assert_eq!(shown(details), None, "{details}");
        }
    }
}
