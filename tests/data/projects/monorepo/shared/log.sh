log() { echo "$SERVICE: $*"; }
