## The clock: what is wrong with it or with its section.

clock-unreachable = no clock answers at { $target } ({ $reason }): check its power and network, and that the address is the one in its menu
clock-busy = the clock { $target } takes the connection but does not answer ({ $reason }): most serve one program at a time; stop the other one that reads it, or restart the clock
clock-key-refused = the clock { $target } refuses the comm key: copy the number from its menu Comm > PC connection (comm_key, --comm-key)
clock-not-a-clock = what listens at { $target } is not a clock ({ $found }): check address and port
clock-no-answer = no answer from the clock within { $seconds } s ({ $step }): check the network and the clock
clock-ended = connection lost ({ $step }: { $end }); another try follows
clock-refused = the clock refused ({ $step }, answer { $answer }): restart it if that lasts
clock-lost = packets are lost on the way ({ $step }): check the clock's cable or Wi-Fi
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
clock-config-poll = clock “{ $name }”: poll_interval_s is { $seconds }; 5 to 86400 are possible
clock-config-layout = clock “{ $name }”: { $why }
clock-layout-unknown = there is no layout “{ $name }”: write 40 to 64, 16, 8a or 8b

clock-log-full = { $records } punches of { $capacity }: the next ones may be lost; once all are in the cloud, empty its memory in the clock's menu, or from the ERP where allow_clear permits it
clock-time-lost = the clock shows a date { $days } days away from today: its battery is flat or somebody set it; set its time again, its punches of that time are flagged
clock-profile-changed = the clock says that it is "{ $now }"; it was "{ $was }"
clock-time-not-told = the clock does not tell its time
clock-true-time-unknown = the gateway does not know the true time yet: it takes it from the cloud; ask again when the tunnel is open
clock-time-right = it is right ({ $time })
clock-time-refused = the clock refuses to be set: do it in its menu
clock-time-set = set: it showed { $before }, it shows { $after }
clock-users-unreadable = the table of users cannot be read: nothing is written
clock-users-missing = the clock accepted everything, and did not keep: { $users }
clock-user-written = { $user }: written
clock-user-already = { $user }: was so already
clock-user-refused = { $user }: refused by the clock
clock-user-twice = { $user }: this number exists twice on the clock; delete one of them at its keypad
clock-user-differs = { $user }: is no longer as it was shown; read the users again and repeat
clock-user-id = { $user }: the number has digits or plain letters only, { $max } at most
clock-user-name-long = { $user }: the name has more than { $max } bytes
clock-user-name-letters = { $user }: the name has letters that the clock does not have
clock-user-card = { $user }: the card number is too large
clock-user-full = { $user }: the clock has no room left
clock-clear-not-allowed = emptying the memory is not allowed: put allow_clear = true into the clock's section if you want it
clock-clear-count = { $wished } punches should have been there, there are { $held }: read the whole clock again and repeat
clock-clear-unconfirmed = { $open } facts are not confirmed by the cloud yet: try again in a moment
clock-clear-refused = the clock refuses to empty its memory: do it in its menu
clock-cleared = { $records } punches read, confirmed and removed from the clock; { $left } are left
clock-config-set-time = clock "{ $name }": set_time_beyond_s is { $seconds }; 0 (never) or 30 to 86400 are possible
clock-moved = the clock with number { $serial } answers no more at { $was } and was found at { $now }: write that address into its section, or reserve it in the router
clock-twice = "{ $other }" reads the clock with number { $serial } already: take one of the two [[clock]] sections out
clock-config-search = clock "{ $name }": search_subnet needs expected_serial, transport = "tcp", and a private network of 1024 addresses at most such as 192.168.1.0/24
clock-step-operations = reading the operation log
clock-step-write-user = writing a user
clock-step-clear-log = emptying the log

## Clocks that call by themselves.

push-config-empty = [push] names no clock: add [[push.clock]], or take the section out
push-config-name = a clock that calls has no name: give each [[push.clock]] its own
push-config-serial = clock "{ $name }": "{ $serial }" is no serial number of 6 to 32 letters and digits, as its menu shows it
push-config-serial-twice = serial number { $serial } is written twice in [push]
push-config-key = clock "{ $name }": key has 1 to 64 letters, digits or signs, without a space
push-config-from = "{ $from }" is neither an address (192.168.1.201) nor a network (192.168.1.0/24)
push-not-listening = clocks cannot call: { $listen } cannot be listened on ({ $why }); check that this machine has that address and that no other program has that port
push-stranger = a clock with number { $serial } calls from { $from } and is not in [push] (or not from there): add it if it is yours; it keeps its punches
push-key-refused = the clock calls with another key than that of its [[push.clock]]: enter the same on both sides
push-silent = the clock has not called for { $minutes } min: check its power, its network, and the server's address in its menu
push-only-calls = this clock calls by itself: it can tell its punches and users again, the rest is done at its keypad, or over its port with [[clock]]; it sets itself right with each call
push-refused = the clock answered { $code }
push-no-answer = the clock did not call, or not answer, in time: try again when it calls
