# Completion of phial for fish:  phial completion fish > ~/.config/fish/completions/phial.fish
function __phial_complete
    set -l words (commandline -opc) (commandline -ct)
    for candidate in (command phial __complete $words[2..] 2>/dev/null)
        switch $candidate
            case :files
                __fish_complete_path (commandline -ct)
            case :dirs
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $candidate
        end
    end
end
complete -c phial -f -a '(__phial_complete)'
