# Completions of rundown for bash, printed by `rundown completions bash`.
_rundown() {
    local current=$2 kind='' line option=''
    local words=("${COMP_WORDS[@]:0:COMP_CWORD}" "$current")
    # A separator at the cursor is a word of its own, and $2 is empty.
    [[ ${COMP_WORDS[COMP_CWORD]} != [=:]* ]] || words[COMP_CWORD]=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    {
        IFS= read -r kind
        while IFS= read -r line; do
            COMPREPLY+=("$line")
        done
    } < <(command rundown completions bash --complete "$COMP_CWORD" -- "${words[@]}" 2>/dev/null)
    case $kind in
        files) option=-f ;;
        directories) option=-d ;;
        commands) option=-c ;;
        *) return ;;
    esac
    [[ $kind == commands ]] || compopt -o filenames 2>/dev/null
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(compgen "$option" -- "$current")
}
complete -F _rundown rundown
