# A reader that comes when all is over, blocked in open: afterwards.sh PATH SECONDS
# Counts what reaches it within SECONDS.
echo "read $(timeout "$2" cat "$1" | wc -c)"
