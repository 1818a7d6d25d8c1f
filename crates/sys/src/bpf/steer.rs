//! Programs that choose the socket that a packet or connection is given to (`BPF_PROG_TYPE_SK_LOOKUP`, since Linux 5.9).

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::{Instruction, bpf, load, number, owned};

const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE: libc::c_int = 2;
const LINK_CREATE: libc::c_int = 28;
const TYPE_SOCKET_MAP: u32 = 15;
const TYPE_SOCKET_LOOKUP: u32 = 30;
const ATTACH_SOCKET_LOOKUP: u32 = 36;

#[repr(C)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
    flags: u32,
}

#[repr(C)]
struct MapUpdate {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    kind: u32,
    flags: u32,
}

/// Sockets by number, for a program to choose from. A socket that is closed leaves it.
#[derive(Debug)]
pub struct SocketMap(OwnedFd);

/// A program at work in a network namespace, until this value is dropped or the namespace is gone.
#[derive(Debug)]
pub struct Steering {
    #[expect(dead_code, reason = "the link detaches the program when it is closed")]
    link: OwnedFd,
}

impl SocketMap {
    /// One of the sockets given, by their places: bound ones of UDP, or listening ones of TCP.
    ///
    /// # Errors
    /// `EPERM` without the privilege, `EOPNOTSUPP` for a socket that cannot be in one.
    pub fn new(sockets: &[BorrowedFd<'_>]) -> Result<SocketMap, Errno> {
        let entries = u32::try_from(sockets.len()).map_err(|_| Errno::TOOBIG)?;
        let create = MapCreate { kind: TYPE_SOCKET_MAP, key_size: 4, value_size: 4, entries, flags: 0 };
        let map = owned(bpf(MAP_CREATE, &create)?);
        for (key, socket) in (0_u32..).zip(sockets) {
            let value = number(socket.as_raw_fd())?;
            let update = MapUpdate {
                map: number(map.as_raw_fd())?,
                padding: 0,
                key: (&raw const key) as u64,
                value: (&raw const value) as u64,
                flags: 0,
            };
            bpf(MAP_UPDATE, &update)?;
        }
        Ok(SocketMap(map))
    }

    /// The two instructions that load the map into a register.
    pub fn load_into(&self, register: u8) -> [Instruction; 2] {
        const LOAD_DOUBLE_WORD: u8 = 0x18;
        /// `BPF_PSEUDO_MAP_FD`, in place of a source register.
        const OF_MAP: u8 = 1;
        let registers = register | OF_MAP << 4;
        [
            Instruction { code: LOAD_DOUBLE_WORD, registers, offset: 0, immediate: self.0.as_raw_fd() },
            Instruction { code: 0, registers: 0, offset: 0, immediate: 0 },
        ]
    }
}

/// Loads a program and attaches it to a network namespace: from then on it is asked for the socket of each packet of UDP
/// that belongs to no connected socket, and of each new connection of TCP.
///
/// # Errors
/// `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN` of the host, `EINVAL` before Linux 5.9 or for a program that the verifier
/// refuses, `E2BIG` if the namespace has too many.
pub fn steer(network: BorrowedFd<'_>, program: &[Instruction]) -> Result<Steering, Errno> {
    let program = load(TYPE_SOCKET_LOOKUP, ATTACH_SOCKET_LOOKUP, program)?;
    let create = LinkCreate {
        program: number(program.as_raw_fd())?,
        target: number(network.as_raw_fd())?,
        kind: ATTACH_SOCKET_LOOKUP,
        flags: 0,
    };
    bpf(LINK_CREATE, &create).map(|link| Steering { link: owned(link) })
}
