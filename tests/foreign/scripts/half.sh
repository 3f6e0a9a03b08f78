# Writes half a line and leaves: half.sh PATH
printf 'half a re' > "$1"
echo written
