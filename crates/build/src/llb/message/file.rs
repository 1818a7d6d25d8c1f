//! Changes of files.

use prost::{Message, Oneof};

/// Changes files.
#[derive(Clone, PartialEq, Message)]
pub struct FileOp {
    /// One after another.
    #[prost(message, repeated, tag = "2")]
    pub actions: Vec<FileAction>,
}

/// One change of files. Numbers below the count of the operation's inputs are inputs, others are results of actions before.
#[derive(Clone, PartialEq, Message)]
pub struct FileAction {
    /// What is changed, or -1 for nothing that was there.
    #[prost(int64, tag = "1")]
    pub input: i64,
    /// Where files come from, or -1.
    #[prost(int64, tag = "2")]
    pub secondary_input: i64,
    /// As which of the operation's results it is kept, or -1 for none.
    #[prost(int64, tag = "3")]
    pub output: i64,
    /// What is done.
    #[prost(oneof = "Action", tags = "4, 5, 6, 7, 8")]
    pub action: Option<Action>,
}

/// What is done to files.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum Action {
    /// Copies.
    #[prost(message, tag = "4")]
    Copy(Copy),
    /// Makes a file.
    #[prost(message, tag = "5")]
    MakeFile(MakeFile),
    /// Makes a directory.
    #[prost(message, tag = "6")]
    MakeDirectory(MakeDirectory),
    /// Removes.
    #[prost(message, tag = "7")]
    Remove(Remove),
    /// Makes a symbolic link.
    #[prost(message, tag = "8")]
    Symlink(Symlink),
}

/// Copies files.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(clippy::struct_excessive_bools, reason = "the message has them")]
pub struct Copy {
    /// From where.
    #[prost(string, tag = "1")]
    pub src: String,
    /// To where.
    #[prost(string, tag = "2")]
    pub dest: String,
    /// Whose they are there.
    #[prost(message, optional, tag = "3")]
    pub owner: Option<Chown>,
    /// Permission bits, or -1 for those they have.
    #[prost(int32, tag = "4")]
    pub mode: i32,
    /// Whether a link that is named is followed.
    #[prost(bool, tag = "5")]
    pub follow_symlink: bool,
    /// Whether of a directory that is named its content is copied.
    #[prost(bool, tag = "6")]
    pub dir_copy_contents: bool,
    /// Whether archives are unpacked, as `ADD` does.
    #[prost(bool, tag = "7")]
    pub attempt_unpack: bool,
    /// Whether directories above the destination are made.
    #[prost(bool, tag = "8")]
    pub create_dest_path: bool,
    /// Whether the source is a pattern.
    #[prost(bool, tag = "9")]
    pub allow_wildcard: bool,
    /// Whether a pattern may match nothing.
    #[prost(bool, tag = "10")]
    pub allow_empty_wildcard: bool,
    /// When it was made, in nanoseconds since 1970, or -1.
    #[prost(int64, tag = "11")]
    pub timestamp: i64,
    /// What is copied; without any, everything.
    #[prost(string, repeated, tag = "12")]
    pub include_patterns: Vec<String>,
    /// What is left out.
    #[prost(string, repeated, tag = "13")]
    pub exclude_patterns: Vec<String>,
    /// Whether what is there is replaced, whatever it is.
    #[prost(bool, tag = "14")]
    pub always_replace: bool,
    /// Permission bits as `chmod` takes them.
    #[prost(string, tag = "15")]
    pub mode_str: String,
    /// What must be there.
    #[prost(string, repeated, tag = "16")]
    pub required_paths: Vec<String>,
}

/// Makes a file.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "fields mean what they mean in a copy")]
pub struct MakeFile {
    #[prost(string, tag = "1")]
    pub path: String,
    #[prost(int32, tag = "2")]
    pub mode: i32,
    #[prost(bytes = "vec", tag = "3")]
    pub data: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    pub owner: Option<Chown>,
    #[prost(int64, tag = "5")]
    pub timestamp: i64,
}

/// Makes a directory.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "fields mean what they mean in a copy")]
pub struct MakeDirectory {
    #[prost(string, tag = "1")]
    pub path: String,
    #[prost(int32, tag = "2")]
    pub mode: i32,
    #[prost(bool, tag = "3")]
    pub make_parents: bool,
    #[prost(message, optional, tag = "4")]
    pub owner: Option<Chown>,
    #[prost(int64, tag = "5")]
    pub timestamp: i64,
}

/// Removes.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "fields mean what they mean in a copy")]
pub struct Remove {
    #[prost(string, tag = "1")]
    pub path: String,
    #[prost(bool, tag = "2")]
    pub allow_not_found: bool,
    #[prost(bool, tag = "3")]
    pub allow_wildcard: bool,
}

/// Makes a symbolic link.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Symlink {
    /// What it says.
    #[prost(string, tag = "1")]
    pub oldpath: String,
    /// Where it is.
    #[prost(string, tag = "2")]
    pub newpath: String,
    /// Whose it is.
    #[prost(message, optional, tag = "3")]
    pub owner: Option<Chown>,
    /// When it was made, in nanoseconds since 1970, or -1.
    #[prost(int64, tag = "4")]
    pub timestamp: i64,
}

/// Whose something is.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Chown {
    /// The user.
    #[prost(message, optional, tag = "1")]
    pub user: Option<Owner>,
    /// The group.
    #[prost(message, optional, tag = "2")]
    pub group: Option<Owner>,
}

/// A user or a group.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Owner {
    /// How it is said.
    #[prost(oneof = "OwnerKind", tags = "1, 2")]
    pub user: Option<OwnerKind>,
}

/// How a user or a group is said.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum OwnerKind {
    /// By a name that is looked up.
    #[prost(message, tag = "1")]
    Name(OwnerName),
    /// By a number.
    #[prost(uint32, tag = "2")]
    Number(u32),
}

/// A name that is looked up.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OwnerName {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The input whose files say who that is.
    #[prost(int64, tag = "2")]
    pub input: i64,
}
