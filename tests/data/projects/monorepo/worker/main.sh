. shared/log.sh
log "working with $(cat documents) documents, $(find / -xdev -name token 2>/dev/null | wc -l) secrets"
