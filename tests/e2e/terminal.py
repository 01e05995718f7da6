#!/usr/bin/env python3
"""terminal.py COLUMNSxROWS SCRIPT COMMAND...: run a command on a terminal of its own.

SCRIPT is lines of what to do: "expect TEXT" waits for output, "send TEXT" types it
(with the escapes of Python), "resize COLUMNSxROWS", "kill SIGNAL", "touch FILE". Prints all output
with the exit code behind it; a text that does not come within 60 s is an error.
The terminal must be left in the state in which it was found.
"""
import fcntl, os, pty, select, signal, struct, sys, termios, time


def set_size(fd, text):
    columns, rows = map(int, text.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main():
    size, script, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    master, slave = pty.openpty()
    set_size(slave, size)
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in 0, 1, 2:
            os.dup2(slave, fd)
        os.close(master)
        os.environ["TERM"] = "xterm"
        os.execvp(command[0], command)
    seen, mark = b"", 0

    def read_some(timeout):
        nonlocal seen
        if not select.select([master], [], [], timeout)[0]:
            return False
        seen += os.read(master, 65536)
        return True

    def expect(text):
        nonlocal mark
        end = time.monotonic() + 60
        while text not in seen[mark:]:
            if time.monotonic() > end:
                sys.exit("no %r in %r" % (text, seen[mark:]))
            read_some(0.1)
        mark = seen.index(text, mark) + len(text)

    for line in script.strip().split("\n"):
        verb, _, rest = line.strip().partition(" ")
        text = rest.encode().decode("unicode_escape").encode("latin-1")
        if verb == "expect":
            expect(text)
        elif verb == "send":
            os.write(master, text)
        elif verb == "resize":
            set_size(slave, rest)
        elif verb == "touch":
            open(rest, "w").close()
        elif verb == "kill":
            os.kill(pid, getattr(signal, rest))
        else:
            sys.exit("unknown verb " + verb)

    end = time.monotonic() + 60
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        while read_some(0):
            pass
        if done:
            break
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            sys.exit("it does not end; %r" % seen)
        read_some(0.05)
    sys.stdout.buffer.write(seen)
    print("\nexit code %d" % os.waitstatus_to_exitcode(status))
    if termios.tcgetattr(slave) != before:
        sys.exit("the terminal is not as it was")


main()
