//! The program that gives the server what is sent to its address, as instructions of `bpf(2)`. Pure.

use std::net::Ipv4Addr;

use sys::bpf::{Instruction, SocketMap};

/// Opcodes that are used here.
const LOAD_WORD: u8 = 0x61;
const STORE_WORD: u8 = 0x63;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const ADD: u8 = 0x07;
const JUMP_EQUAL: u8 = 0x15;
const JUMP_UNEQUAL: u8 = 0x55;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

/// Fields of `struct bpf_sk_lookup`, by their offsets.
const FAMILY: i16 = 8;
const PROTOCOL: i16 = 12;
const LOCAL_ADDRESS: i16 = 40;
const LOCAL_PORT: i16 = 60;

/// Functions of the kernel.
const MAP_LOOKUP: i32 = 1;
const RELEASE: i32 = 86;
const ASSIGN: i32 = 124;

const AF_INET: i32 = 2;
const TCP: i32 = 6;
const UDP: i32 = 17;
const PASS: i32 = 1;

/// Gives what is sent to `address` and `port` to the first socket of the map if it is UDP, to the second one if it is TCP.
/// Everything else takes its way as if the program were not there.
pub(super) fn program(address: Ipv4Addr, port: u16, sockets: &SocketMap) -> Vec<Instruction> {
    /// Where the last two instructions are, which let pass.
    const END: i16 = 26;
    let [map, map_continued] = sockets.load_into(1);
    // The address is in the order of the network, the port in that of the host.
    let address = i32::from_ne_bytes(address.octets());
    let to_end = |from: i16| END - from - 1;
    vec![
        instruction(MOVE_REGISTER, 6, 1, 0, 0),
        instruction(LOAD_WORD, 2, 1, FAMILY, 0),
        instruction(JUMP_UNEQUAL, 2, 0, to_end(2), AF_INET),
        instruction(LOAD_WORD, 2, 1, LOCAL_PORT, 0),
        instruction(JUMP_UNEQUAL, 2, 0, to_end(4), port.into()),
        instruction(LOAD_WORD, 2, 1, LOCAL_ADDRESS, 0),
        instruction(JUMP_UNEQUAL, 2, 0, to_end(6), address),
        instruction(MOVE, 3, 0, 0, 0),
        instruction(LOAD_WORD, 2, 1, PROTOCOL, 0),
        instruction(JUMP_EQUAL, 2, 0, 2, UDP),
        instruction(JUMP_UNEQUAL, 2, 0, to_end(10), TCP),
        instruction(MOVE, 3, 0, 0, 1),
        // The number of the socket, on the stack.
        instruction(STORE_WORD, 10, 3, -4, 0),
        instruction(MOVE_REGISTER, 2, 10, 0, 0),
        instruction(ADD, 2, 0, 0, -4),
        map,
        map_continued,
        instruction(CALL, 0, 0, 0, MAP_LOOKUP),
        instruction(JUMP_EQUAL, 0, 0, to_end(18), 0),
        instruction(MOVE_REGISTER, 7, 0, 0, 0),
        instruction(MOVE_REGISTER, 1, 6, 0, 0),
        instruction(MOVE_REGISTER, 2, 7, 0, 0),
        instruction(MOVE, 3, 0, 0, 0),
        instruction(CALL, 0, 0, 0, ASSIGN),
        instruction(MOVE_REGISTER, 1, 7, 0, 0),
        instruction(CALL, 0, 0, 0, RELEASE),
        instruction(MOVE, 0, 0, 0, PASS),
        instruction(EXIT, 0, 0, 0, 0),
    ]
}

fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: destination | source << 4, offset, immediate }
}
