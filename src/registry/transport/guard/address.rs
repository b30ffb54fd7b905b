//! Which network an address is in, and which networks may point at which.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far away an address is; whoever is at one of them may point at those that come later, and at its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reach {
    /// This machine.
    Loopback,
    /// A private network.
    Site,
    /// The Internet.
    Public,
}

/// Addresses outside the link-local ranges at which clouds tell a machine its secrets.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

impl Reach {
    /// Where an address is; `None` for one that no registry may point at: link-local, metadata, multicast,
    /// unspecified.
    pub(crate) fn of(address: IpAddr) -> Option<Self> {
        let address = embedded(address);
        if METADATA.contains(&address) {
            return None;
        }
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Option<Self> {
        let [a, b, c, _] = address.octets();
        let is_shared = a == 100 && (64..128).contains(&b);
        let is_benchmark = a == 198 && (b == 18 || b == 19);
        let is_assigned = a == 192 && b == 0 && c == 0;
        match () {
            () if a == 0 || a >= 224 || address.is_link_local() => None,
            () if address.is_loopback() => Some(Self::Loopback),
            () if address.is_private() || is_shared || is_benchmark || is_assigned => Some(Self::Site),
            () => Some(Self::Public),
        }
    }

    fn of_v6(address: Ipv6Addr) -> Option<Self> {
        match () {
            () if address.is_loopback() => Some(Self::Loopback),
            () if address.is_unspecified() || address.is_multicast() || address.is_unicast_link_local() => {
                None
            }
            () if address.is_unique_local() || is_site_local(address) || is_local_nat64(address) => {
                Some(Self::Site)
            }
            () => Some(Self::Public),
        }
    }

    /// Whether who is here may point at `address`.
    pub(crate) fn may_name(self, address: IpAddr) -> bool {
        Self::of(address).is_some_and(|there| there >= self)
    }
}

/// `fec0::/10`, which unique local addresses replaced.
fn is_site_local(address: Ipv6Addr) -> bool {
    let [first, ..] = address.segments();
    first & 0xffc0 == 0xfec0
}

/// `64:ff9b:1::/48`: where it leads is known to that network alone (RFC 8215).
fn is_local_nat64(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0x64, 0xff9b, 1, ..])
}

/// The IPv4 address that an IPv6 address stands for: mapped (`::ffff:0:0/96`), compatible (`::/96`), NAT64
/// (`64:ff9b::/96`) or 6to4 (`2002::/16`).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let of = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        // Both are in `::/96`, and mean themselves.
        _ if v6.is_loopback() || v6.is_unspecified() => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => of(high, low),
        _ => address,
    }
}
