//! Every operation dies at every point at which it could leave something half done, in the command and in the
//! supervisor: after each death the store is whole, and the operation has happened or has not.
//!
//! Each test asserts how many deaths there were at least, some less than there are. In sum these are 388 in `containers`,
//! 87 in `running`, 514 in `supervised` and 196 in `volumes`: 1185, beside those of images and archives and 120 in `kill9.rs`.

mod archives;
mod build;
mod containers;
mod images;
mod networks;
mod running;
mod scene;
mod supervised;
mod volumes;
