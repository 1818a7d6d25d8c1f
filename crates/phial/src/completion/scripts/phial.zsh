#compdef phial
# Completion of phial for zsh. In ~/.zshrc, after compinit:  source <(phial completion zsh)
_phial() {
    local line candidate about paths=
    local -a described
    while IFS=$'\t' read -r candidate about; do
        case $candidate in
            :files) paths=files ;;
            :dirs) paths=dirs ;;
            *) described+=("${candidate//:/\\:}${about:+:$about}") ;;
        esac
    done < <(command phial __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    local -a suffix
    # After these the value goes on.
    [[ $#described == 1 && ${described[1]} == *(=|:) ]] && suffix=(-S '')
    (( $#described )) && _describe -V phial described "${suffix[@]}"
    case $paths in
        files) _files ;;
        dirs) _files -/ ;;
    esac
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _phial "$@"
else
    compdef _phial phial
fi
