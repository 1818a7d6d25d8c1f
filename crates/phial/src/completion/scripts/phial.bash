# Completion of phial for bash. In ~/.bashrc:  source <(phial completion bash)
_phial() {
    local line=${COMP_LINE:0:COMP_POINT} word candidate prefix paths=
    local -a words
    read -ra words <<< "$line"
    # A blank at the end begins a new word.
    [[ $line == *[[:space:]] ]] && words+=("")
    word=${words[${#words[@]} - 1]}
    COMPREPLY=()
    # bash takes a word apart at = and :, and wants to be given only what comes after the last of them.
    prefix=${word%"${word##*[=:]}"}
    while IFS=$'\t' read -r candidate _; do
        case $candidate in
            :files) paths=-f ;;
            :dirs) paths=-d ;;
            *) COMPREPLY+=("${candidate#"$prefix"}") ;;
        esac
    done < <(command phial __complete "${words[@]:1}" 2>/dev/null)
    if [[ -n $paths ]]; then
        compopt -o filenames 2>/dev/null
        while IFS= read -r candidate; do
            COMPREPLY+=("$candidate")
        done < <(compgen "$paths" -- "${word#"$prefix"}")
    fi
    # After these the value goes on.
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -F _phial phial
