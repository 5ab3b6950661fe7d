/**
 * A line for `/bin/sh -c`, with a name, a program and its arguments behind it, which are never part of the line: the shell
 * becomes the program, after it has left somebody behind who waits for the end of a pipe, descriptor 3, that this process
 * holds. It closes even when this process is killed, and then the whole group ends, which has to be the program's own
 * (`detached`). Without `--`: dash's kill takes it for a number where the signal is given so.
 */
export const END_WITH_PARENT = '(read -r _ <&3 || kill -KILL -$$) >/dev/null 2>&1 & exec "$@" 3<&-';
