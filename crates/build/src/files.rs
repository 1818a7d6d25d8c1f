//! Changes of files: what `ADD`, `COPY` and `WORKDIR` do.
