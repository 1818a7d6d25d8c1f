. shared/log.sh
log serving
