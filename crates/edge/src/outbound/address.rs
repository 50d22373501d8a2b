//! Which addresses outgoing requests may go to.
//!
//! All addresses are compared as 128 bits, an IPv4 address in its mapped form `::ffff:a.b.c.d`, so
//! writing one family in the clothes of the other changes nothing. Addresses that carry an IPv4
//! address for a gateway to unwrap (NAT64, 6to4) are judged by the address inside.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses, such as `10.0.0.0/8` or `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// Why a text is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Not an address, or not a number after the slash.
    #[error("'{0}' is no address range; expected something like 10.0.0.0/8, fd00::/8 or 10.1.2.3")]
    Form(String),
    /// More prefix bits than the address has.
    #[error("'{text}' has a prefix of more than {bits} bits")]
    Prefix {
        /// What was given.
        text: String,
        /// How many bits an address of its family has.
        bits: u8,
    },
    /// The address has bits that the prefix leaves out.
    #[error("'{text}' names an address inside a range; the range itself is {range}")]
    HostBits {
        /// What was given.
        text: String,
        /// What was probably meant.
        range: Cidr,
    },
}

impl Cidr {
    const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Self {
        Self { network: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), prefix }
    }

    const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Self {
        Self { network: IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), prefix }
    }

    /// Whether an address lies in the range, in whichever form it is written.
    pub fn contains(&self, address: IpAddr) -> bool {
        let mask = u128::MAX.checked_shl(128 - self.wide_prefix()).unwrap_or(0);
        (wide(address) ^ wide(self.network)) & mask == 0
    }

    /// The prefix in 128 bits.
    fn wide_prefix(&self) -> u32 {
        u32::from(self.prefix) + if self.network.is_ipv4() { 96 } else { 0 }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let form = || CidrError::Form(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| form())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| form())?;
        if prefix > bits {
            return Err(CidrError::Prefix { text: text.to_owned(), bits });
        }
        let range = Self { network: masked(address, prefix), prefix };
        if range.network != address {
            return Err(CidrError::HostBits { text: text.to_owned(), range });
        }
        Ok(range)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.network, self.prefix)
    }
}

/// Where outgoing requests may go. The default refuses everything that is not public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Whether every address may be reached, this machine's own included; for development.
    pub allow_private: bool,
    /// Ranges that may be reached although they are not public.
    pub allow: Vec<Cidr>,
}

impl AddressPolicy {
    /// Reaches every address; for development.
    pub fn everything() -> Self {
        Self { allow_private: true, allow: Vec::new() }
    }

    /// Checks one address.
    ///
    /// # Errors
    /// What kind of address it is, for a sentence such as "a loopback address".
    pub fn check(&self, address: IpAddr) -> Result<(), &'static str> {
        if self.allow_private || self.allow.iter().any(|range| range.contains(address)) {
            return Ok(());
        }
        match (special(address), embedded(address)) {
            (Some(kind), _) => Err(kind),
            (None, Some(inner)) => self.check(inner),
            (None, None) => Ok(()),
        }
    }
}

/// What is not public: the special-purpose registries of IANA (RFC 6890 and its successors), and
/// what they leave out.
const SPECIAL: [(Cidr, &str); 25] = [
    (Cidr::v4(0, 0, 0, 8), "an unspecified address"),
    (Cidr::v4(10, 0, 0, 8), "a private address"),
    (Cidr::v4(100, 64, 0, 10), "an address shared behind a provider's NAT"),
    (Cidr::v4(127, 0, 0, 8), "a loopback address"),
    (Cidr::v4(169, 254, 0, 16), "a link-local address"),
    (Cidr::v4(172, 16, 0, 12), "a private address"),
    (Cidr::v4(192, 0, 0, 24), "an address reserved for protocols"),
    (Cidr::v4(192, 0, 2, 24), "a documentation address"),
    (Cidr::v4(192, 88, 99, 24), "a 6to4 relay address"),
    (Cidr::v4(192, 168, 0, 16), "a private address"),
    (Cidr::v4(198, 18, 0, 15), "a benchmark address"),
    (Cidr::v4(198, 51, 100, 24), "a documentation address"),
    (Cidr::v4(203, 0, 113, 24), "a documentation address"),
    (Cidr::v4(224, 0, 0, 4), "a multicast address"),
    (Cidr::v4(240, 0, 0, 4), "a reserved address"),
    (Cidr::v6(0x64, 0xff9b, 1, 48), "a local NAT64 address"),
    (Cidr::v6(0x100, 0, 0, 64), "a discard address"),
    (Cidr::v6(0x2001, 0xdb8, 0, 32), "a documentation address"),
    (Cidr::v6(0x2001, 0, 0, 23), "an address reserved for protocols"),
    (Cidr::v6(0x3fff, 0, 0, 20), "a documentation address"),
    (Cidr::v6(0xfc00, 0, 0, 7), "a unique-local address"),
    (Cidr::v6(0xfe80, 0, 0, 10), "a link-local address"),
    (Cidr::v6(0xfec0, 0, 0, 10), "a site-local address"),
    (Cidr::v6(0xff00, 0, 0, 8), "a multicast address"),
    (Cidr::v6(0x5f00, 0, 0, 16), "a segment-routing address"),
];

/// What kind of address it is when it is not public.
fn special(address: IpAddr) -> Option<&'static str> {
    let own = |address: Ipv6Addr| match address {
        Ipv6Addr::UNSPECIFIED => Some("an unspecified address"),
        Ipv6Addr::LOCALHOST => Some("a loopback address"),
        // ::/96 once held IPv4 addresses and holds nothing today.
        other if u128::from(other) >> 32 == 0 => Some("a reserved address"),
        _ => None,
    };
    let listed =
        || SPECIAL.iter().find(|(range, _)| range.contains(address)).map(|(_, kind)| *kind);
    match address {
        IpAddr::V6(six) => own(six).or_else(listed),
        IpAddr::V4(_) => listed(),
    }
}

/// The IPv4 address that a gateway on the way would unwrap.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let bits = wide(address);
    let inner = match (bits >> 112, bits >> 32) {
        (0x2002, _) => bits >> 80,
        (_, 0x0064_ff9b_0000_0000_0000_0000) => bits,
        _ => return None,
    };
    Some(Ipv4Addr::from((inner & u128::from(u32::MAX)) as u32).into())
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().into(),
        IpAddr::V6(six) => six.into(),
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(four) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from(u32::from(four) & mask).into()
        }
        IpAddr::V6(six) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from(u128::from(six) & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &AddressPolicy, address: &str) -> Result<(), &'static str> {
        policy.check(address.parse().unwrap())
    }

    #[test]
    fn public_addresses_pass() {
        let strict = AddressPolicy::default();
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "169.253.255.255",
            "192.167.255.255",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert_eq!(check(&strict, address), Ok(()), "{address}");
        }
    }

    #[test]
    fn everything_else_is_refused_in_every_form() {
        let strict = AddressPolicy::default();
        for (address, kind) in [
            ("0.0.0.0", "unspecified"),
            ("10.1.2.3", "private"),
            ("100.64.0.1", "provider"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("169.254.169.254", "link-local"),
            ("172.31.255.255", "private"),
            ("192.168.0.1", "private"),
            ("198.19.0.1", "benchmark"),
            ("224.0.0.1", "multicast"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::127.0.0.1", "reserved"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "link-local"),
            ("64:ff9b::7f00:1", "loopback"),
            ("64:ff9b::a9fe:a9fe", "link-local"),
            ("64:ff9b:1::1", "NAT64"),
            ("2002:7f00:1::1", "loopback"),
            ("2002:a00:1::", "private"),
            ("2001::1", "protocols"),
            ("2001:db8::1", "documentation"),
            ("fd00::1", "unique-local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
        ] {
            let refused = check(&strict, address).unwrap_err();
            assert!(refused.contains(kind), "{address}: {refused}");
            assert_eq!(check(&AddressPolicy::everything(), address), Ok(()), "{address}");
        }
    }

    #[test]
    fn listed_ranges_pass_and_nothing_beside_them() {
        let allow = ["10.1.0.0/16", "fd12::/16"].map(|range| range.parse().unwrap()).to_vec();
        let policy = AddressPolicy { allow_private: false, allow };
        for inside in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd12::5", "1.1.1.1"] {
            assert_eq!(check(&policy, inside), Ok(()), "{inside}");
        }
        for outside in ["10.2.0.1", "127.0.0.1", "fd13::1"] {
            assert!(check(&policy, outside).is_err(), "{outside}");
        }
    }

    #[test]
    fn ranges_are_read_strictly() {
        for good in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/8", "1.2.3.4/32"] {
            assert_eq!(good.parse::<Cidr>().unwrap().to_string(), good);
        }
        assert_eq!("10.1.2.3".parse::<Cidr>().unwrap().to_string(), "10.1.2.3/32");
        for (bad, says) in [
            ("10.0.0.0/33", "more than 32 bits"),
            ("::/129", "more than 128 bits"),
            ("10.1.2.3/8", "the range itself is 10.0.0.0/8"),
            ("localhost", "no address range"),
            ("10.0.0.0/", "no address range"),
            ("", "no address range"),
        ] {
            let error = bad.parse::<Cidr>().unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }
}
