# The bot in the container: text commands in, replies out, a line each: bot.sh IN OUT
# echo TEXT, late SECONDS TEXT, pieces, silent, quit.
letters() { head -c "$2" /dev/zero | tr '\0' "$1"; }

a=$(letters a 4096) b=$(letters b 4096) c=$(letters c 4096) d=$(letters d 4096)
e=$(letters e 4095)
echo ready
while :; do
    while read -r verb rest; do
        case $verb in
        echo) printf '%s\n' "$rest" > "$2" ;;
        late)
            sleep "${rest%% *}"
            printf '%s\n' "${rest#* }" > "$2"
            ;;
        pieces)
            # 20 KB as one line, each 4 KiB of it with an open and a close of its own.
            for piece in "$a" "$b" "$c" "$d"; do
                printf '%s' "$piece" > "$2"
            done
            printf '%s\n' "$e" > "$2"
            ;;
        quit) exit 0 ;;
        esac
    done < "$1"
done
