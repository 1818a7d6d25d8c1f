//! Numbers of the kernel's interface: `linux/netfilter/nfnetlink.h` and `linux/netfilter/nf_tables.h`.

/// Attributes of each object, and messages.
macro_rules! numbers {
    ($($(#[$doc:meta])* $module:ident: $type:ty { $($name:ident = $value:expr,)* })*) => {
        $($(#[$doc])* pub(super) mod $module { $(pub(in crate::nft) const $name: $type = $value;)* })*
    };
}

numbers! {
    /// Types of messages. Those of tables carry their subsystem in the high byte.
    message: u16 {
        BATCH_BEGIN = 0x10,
        BATCH_END = 0x11,
        NEW_TABLE = 0xa00,
        GET_TABLE = 0xa01,
        DELETE_TABLE = 0xa02,
        NEW_CHAIN = 0xa03,
        GET_CHAIN = 0xa04,
        DELETE_CHAIN = 0xa05,
        NEW_RULE = 0xa06,
        GET_RULE = 0xa07,
        DELETE_RULE = 0xa08,
        NEW_SET = 0xa09,
        GET_SET = 0xa0a,
        NEW_ELEMENT = 0xa0c,
        GET_ELEMENT = 0xa0d,
        DELETE_ELEMENT = 0xa0e,
        NEW_GENERATION = 0xa0f,
        GET_GENERATION = 0xa10,
    }
    /// Flags of messages that add.
    flag: u16 {
        CREATE = 0x400,
        APPEND = 0x800,
    }
    /// `NFNL_BATCH_*`.
    batch: u16 { GENERATION = 1, }
    /// `NFTA_GEN_*`.
    generation: u16 { ID = 1, }
    /// `NFTA_LIST_*`.
    list: u16 { ITEM = 1, }
    /// `NFTA_TABLE_*`.
    table: u16 { NAME = 1, FLAGS = 2, USERDATA = 6, }
    /// `NFTA_CHAIN_*`.
    chain: u16 { TABLE = 1, NAME = 3, HOOK = 4, POLICY = 5, TYPE = 7, USERDATA = 12, }
    /// `NFTA_HOOK_*`; `DEVICE` is `NFTA_DEVICE_NAME` inside of `DEVICES`.
    hook: u16 { NUMBER = 1, PRIORITY = 2, DEVICE = 3, DEVICES = 4, DEVICE_NAME = 1, }
    /// `NFTA_RULE_*`.
    rule: u16 { TABLE = 1, CHAIN = 2, HANDLE = 3, EXPRESSIONS = 4, POSITION = 6, USERDATA = 7, }
    /// `NFTA_SET_*`.
    set: u16 {
        TABLE = 1,
        NAME = 2,
        FLAGS = 3,
        KEY_TYPE = 4,
        KEY_LENGTH = 5,
        DATA_TYPE = 6,
        DATA_LENGTH = 7,
        DESCRIPTION = 9,
        ID = 10,
        TIMEOUT = 11,
        USERDATA = 13,
        OBJECT_TYPE = 15,
    }
    /// `NFTA_SET_DESC_*`, and `NFTA_SET_FIELD_LEN` inside of `FIELDS`.
    description: u16 { SIZE = 1, FIELDS = 2, FIELD_LENGTH = 1, }
    /// `NFTA_SET_ELEM_*`.
    element: u16 {
        KEY = 1,
        DATA = 2,
        FLAGS = 3,
        TIMEOUT = 4,
        EXPIRATION = 5,
        USERDATA = 6,
        EXPRESSION = 7,
        OBJECT = 9,
        KEY_END = 10,
        EXPRESSIONS = 11,
    }
    /// `NFTA_SET_ELEM_LIST_*`.
    elements: u16 { TABLE = 1, SET = 2, ELEMENTS = 3, }
    /// `NFTA_DATA_*` and `NFTA_VERDICT_*`.
    data: u16 { VALUE = 1, VERDICT = 2, VERDICT_CODE = 1, VERDICT_CHAIN = 2, }
    /// `NFTA_EXPR_*`.
    expression: u16 { NAME = 1, DATA = 2, }
    /// `NFTA_META_*`.
    meta: u16 { DESTINATION = 1, KEY = 2, SOURCE = 3, }
    /// `NFTA_PAYLOAD_*`.
    payload: u16 {
        DESTINATION = 1,
        BASE = 2,
        OFFSET = 3,
        LENGTH = 4,
        SOURCE = 5,
        CHECKSUM_TYPE = 6,
        CHECKSUM_OFFSET = 7,
        CHECKSUM_FLAGS = 8,
    }
    /// `NFTA_CMP_*`.
    cmp: u16 { SOURCE = 1, OPERATOR = 2, DATA = 3, }
    /// `NFTA_RANGE_*`.
    range: u16 { SOURCE = 1, OPERATOR = 2, FROM = 3, TO = 4, }
    /// `NFTA_BITWISE_*`.
    bitwise: u16 { SOURCE = 1, DESTINATION = 2, LENGTH = 3, MASK = 4, XOR = 5, OPERATION = 6, DATA = 7, SOURCE2 = 8, }
    /// `NFTA_BYTEORDER_*`.
    byteorder: u16 { SOURCE = 1, DESTINATION = 2, OPERATION = 3, LENGTH = 4, SIZE = 5, }
    /// `NFTA_IMMEDIATE_*`.
    immediate: u16 { DESTINATION = 1, DATA = 2, }
    /// `NFTA_LOOKUP_*`.
    lookup: u16 { SET = 1, SOURCE = 2, DESTINATION = 3, FLAGS = 5, }
    /// `NFTA_DYNSET_*`.
    dynset: u16 {
        SET = 1,
        OPERATION = 3,
        KEY = 4,
        DATA = 5,
        TIMEOUT = 6,
        EXPRESSION = 7,
        FLAGS = 9,
        EXPRESSIONS = 10,
    }
    /// `NFTA_EXTHDR_*`.
    exthdr: u16 { DESTINATION = 1, TYPE = 2, OFFSET = 3, LENGTH = 4, FLAGS = 5, OPERATION = 6, SOURCE = 7, }
    /// `NFTA_CT_*`.
    ct: u16 { DESTINATION = 1, KEY = 2, DIRECTION = 3, SOURCE = 4, }
    /// `NFTA_FIB_*`.
    fib: u16 { DESTINATION = 1, RESULT = 2, FLAGS = 3, }
    /// `NFTA_NAT_*`.
    nat: u16 { TYPE = 1, FAMILY = 2, ADDRESS_MIN = 3, ADDRESS_MAX = 4, PORT_MIN = 5, PORT_MAX = 6, FLAGS = 7, }
    /// `NFTA_MASQ_*`.
    masq: u16 { FLAGS = 1, PORT_MIN = 2, PORT_MAX = 3, }
    /// `NFTA_REDIR_*`.
    redir: u16 { PORT_MIN = 1, PORT_MAX = 2, FLAGS = 3, }
    /// `NFTA_REJECT_*`.
    reject: u16 { TYPE = 1, CODE = 2, }
    /// `NFTA_COUNTER_*`.
    counter: u16 { BYTES = 1, PACKETS = 2, }
    /// `NFTA_LIMIT_*`.
    limit: u16 { RATE = 1, UNIT = 2, BURST = 3, TYPE = 4, FLAGS = 5, }
    /// `NFTA_LOG_*`.
    log: u16 { GROUP = 1, PREFIX = 2, SNAPLEN = 3, THRESHOLD = 4, LEVEL = 5, FLAGS = 6, }
    /// `NFTA_QUEUE_*`.
    queue: u16 { NUMBER = 1, TOTAL = 2, FLAGS = 3, }
    /// `NFTA_OBJREF_*`.
    objref: u16 { TYPE = 1, NAME = 2, SOURCE = 3, SET = 4, }
    /// `NFTA_MATCH_*` and `NFTA_TARGET_*` (`nf_tables_compat.h`), which are alike.
    compat: u16 { NAME = 1, REVISION = 2, INFO = 3, }
    /// Types of userdata, which the kernel keeps and only programs understand (libnftnl, `udata.h`): comments of tables, chains, rules
    /// and elements are 0.
    userdata: u8 { COMMENT = 0, SET_KEY_ORDER = 0, SET_DATA_ORDER = 1, SET_COMMENT = 7, }
    /// Codes of verdicts, as the kernel's signed numbers.
    verdict: i32 { DROP = 0, ACCEPT = 1, QUEUE = 3, CONTINUE = -1, JUMP = -3, GOTO = -4, RETURN = -5, }
}
