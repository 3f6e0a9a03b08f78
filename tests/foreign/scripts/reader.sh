# Reads a FIFO to its end, DELAY seconds late: reader.sh PATH DELAY
# The shell knows one way of opening: blocked in it until a writer comes.
echo ready
sleep "$2"
echo opening 0
set -- $(cksum < "$1")
echo "read $2"
