## The clock: what is wrong with it or with its section.

clock-unreachable = no clock answers at { $target } ({ $reason }): check its power and network, and that the address is the one in its menu
clock-busy = the clock { $target } takes the connection but does not answer ({ $reason }): most serve one program at a time; stop the other one that reads it, or restart the clock
clock-key-refused = the clock { $target } refuses the comm key: copy the number from its menu Comm > PC connection (comm_key, --comm-key)
clock-not-a-clock = what listens at { $target } is not a clock ({ $found }): check address and port
clock-no-answer = no answer from the clock within { $seconds } s ({ $step }): check the network and the clock
clock-ended = connection lost ({ $step }: { $end }); another try follows
clock-refused = the clock refused ({ $step }, answer { $answer }): restart it if that lasts
clock-senseless = the clock's answer makes no sense ({ $step }: { $what }): restart it if that lasts
clock-forbidden = command { $command } is not one the gateway may send

clock-step-connect = connecting
clock-step-key = comm key
clock-step-enable = unlocking the keypad
clock-step-lock = locking the keypad
clock-step-free-buffer = freeing the buffer
clock-step-option = reading an option
clock-step-firmware = reading the version
clock-step-time = reading the time
clock-step-set-time = setting the time
clock-step-sizes = reading the sizes
clock-step-events = asking for events
clock-step-users = reading the users
clock-step-log = reading the punches
clock-step-exit = leaving

clock-link-closed = the clock closed the connection
clock-link-broken = the connection broke: { $why }

clock-not-read = the clock is not read
clock-serial-mismatch = the clock gives the serial number “{ $found }”, “{ $expected }” is expected: nothing is read; if it was replaced, put its number into expected_serial
clock-log-nearly-full = { $records } punches of { $capacity }: once all are in the cloud, clear the memory in the clock's menu; it is never cleared from here
clock-drift = { $direction ->
    [fast] the clock is { $seconds } s ahead
   *[slow] the clock is { $seconds } s behind
}: set it with “fournil-gateway clock set-time” and check the configured zone
clock-ambiguous = the memory of { $bytes } bytes ({ $records } punches says the clock) fits these layouts: { $names }; nothing is guessed and the clock keeps everything; fix “layout” in its section after a look at “fournil-gateway clock dump”
clock-ambiguous-none = none
clock-ambiguous-begins = { $detail }; it begins with { $shown }
clock-ambiguous-dump = the memory of { $bytes } bytes fits these layouts: [{ $names }]; read it again with --layout; bytes: { $shown }
clock-live-differs = { $count } punches announced live do not stand so in the clock's memory; its announcements only start a reading from now on; compare these punches with its memory
clock-count-differs = the clock counts { $counted } punches, its memory holds { $held }
clock-users-unknown = the user table ({ $bytes } bytes) has an unknown layout

clock-config-name = a clock has no name: give each [[clock]] its own
clock-config-address = clock “{ $name }”: the address “{ $address }” is not host:port, like 192.168.1.201:4370
clock-config-udp = clock “{ $name }”: transport = "udp" is not supported yet; those that offer TCP too work with transport = "tcp"
clock-config-poll = clock “{ $name }”: poll_interval_s is { $seconds }; 5 to 86400 are possible
clock-config-layout = clock “{ $name }”: { $why }
clock-layout-unknown = there is no layout “{ $name }”: write 40 to 64, 16, 8a or 8b
