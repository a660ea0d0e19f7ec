#!/bin/sh
# usage: shim.sh DIRECTORY COMMAND [ARGUMENT...]
# Runs COMMAND as the main process of a container and records what the agent must be able to find again after a crash of its own:
#   shim  this shell's process id      pid  the main process's id      exit  its exit code (128 + n after signal n), written once it has ended
# Then kills what is left of its process group, itself included: with the main process the container ends.
directory=$1
shift
trap : TERM INT HUP
echo $$ >"$directory/shim"
/bin/sh -c 'echo $$ >"$0/pid"; exec "$@"' "$directory" "$@"
echo $? >"$directory/exit"
kill -KILL 0
