# A passer-by that takes the request FIFO for a log: garbage.sh PATH
echo 'hello, is anybody there?' > "$1"
echo written
