# Holds a FIFO open, and reads it to its end only when told how late: stalled.sh PATH
# An empty line has it leave without reading.
exec 3< "$1"
echo ready
read -r late
if [ -n "$late" ]; then
    echo asleep
    sleep "$late"
    echo "read $(wc -c <&3)"
fi
