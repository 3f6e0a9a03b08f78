# Puts a regular file where a FIFO is expected: file.sh PATH DELAY
# This is what `echo > PATH` does when the FIFO is not there.
# Closed as a FIFO has to be: that it is no FIFO is all that is wrong with it.
umask 077
echo ready
sleep "$2"
rm -f "$1"
echo precious > "$1"
touch -t 200101010000 "$1"
echo done
