## What the commands say: enrol, status, journal, clock, printer, run.

cli-cannot-start = the program does not start
cli-faults-line = fournil-gateway: { $fault }

enrol-not-a-code = a code has 8 letters or digits, like ABCD-EFGH: copy the one on the page Passerelles
enrol-done = Gateway “{ $name }” enrolled for { $company } at { $url }.
enrol-fingerprint = Fingerprint: { $fingerprint }
enrol-compare = Compare these four words with those on the page Passerelles; if they differ, revoke it.
enrol-service-takes-it = The running service takes this identity up within seconds: check with “fournil-gateway status”.
enrol-start-service = Now start the service: “systemctl start fournil-gateway”.

identity-shown = Gateway “{ $name }” ({ $company }) at { $url }
identity-new-key = New key: { $fingerprint }
identity-compare = Compare these four words with those on the page Passerelles. The old key stays good for a day after the new one first connects.
identity-service-takes-it = The running service takes this key within seconds.

status-not-running = no gateway runs on { $folder }: run “systemctl start fournil-gateway”
status-forbidden = { $folder } is not open to this user: run it with sudo
status-no-answer = the gateway does not answer
status-gateway = gateway     { $name } ({ $company }), fingerprint { $fingerprint }
status-program = program     version { $software }, running for { $minutes } min, { $mib } MiB in memory
status-journal-error = journal     OUT OF ORDER: { $error }; { $remedy }
status-journal-remedy = make room (df -h), check the disk (dmesg); it goes on by itself
status-journal = journal     { $waiting } event(s) to send, { $open } command(s) open, { $kib } KiB
status-tunnel-open = tunnel      open to { $server } ({ $trip } ms, clock { $offset } ms)
status-tunnel-read-only = tunnel      open to { $server } ({ $trip } ms, clock { $offset } ms), read-only
status-tunnel-opening = tunnel      being opened to { $server }
status-tunnel-closed = tunnel      closed: { $fault }
status-cause-unknown = cause unknown
status-clock = clock
status-printer = printer

journal-none = no journal in { $folder }: has the gateway run here before? (--state-dir)
journal-damaged = { $folder } is damaged ({ $damages }): restart the service, which sets the damaged part aside and keeps what can be read, and check the disk
journal-interrupted = reading the journal was interrupted
journal-whole = { $records } records in { $segments } segments, all whole
journal-stat =
    incarnation      { $incarnation }
    up epoch         { $up_epoch }
    up kept          { $up_first } to { $up_last }
    up acknowledged  { $up_acked }
    waiting          { $waiting } events, { $waiting_bytes } bytes
    down epoch       { $down_epoch }
    down durable     { $down_durable }
    commands         { $open } open, { $remembered } remembered
    segments         { $segments } ({ $set_aside } set aside), { $bytes } bytes
    reserve          { $reserve ->
        [whole] whole
       *[used] used up
    }
    records          { $records }
journal-stat-damage = damage           { $damage }
journal-stat-set-aside = set aside        { $damage }

clock-cli-interrupt = cannot wait for Ctrl-C
clock-cli-target = write HOST or HOST:PORT, like 192.168.1.201:4370
clock-cli-unwritable = the answer cannot be written
clock-cli-stdout = standard output takes nothing
clock-cli-unknown = unknown
clock-cli-unknown-event = unknown event { $raw }
clock-cli-live = { $time }  { $user }  state { $state }  verify { $verify }
clock-cli-address = address
clock-cli-serial = serial number
clock-cli-model = model
clock-cli-firmware = firmware
clock-cli-time = time
clock-cli-drift = drift
clock-cli-users = users
clock-cli-records = records
clock-cli-of = { $count } of { $capacity }
clock-cli-user = user { $user } slot { $slot } { $name }
clock-cli-punch = { $time } { $user } state { $state } verify { $verify } { $odd }
clock-cli-warning = warning: { $warning }

printer-cli-unreadable = { $path } cannot be read
printer-cli-profiles = known profiles: { $known }
printer-cli-mute = { $to } is connected but answers no question: if it has no way to answer, use the profile mute-80
printer-cli-stdin = standard input cannot be read
printer-cli-not-a-document = { $path } is not a document (JSON)
printer-cli-not-ready = { $to } is not ready ({ $code }: { $remedy }): nothing was sent
printer-cli-stalled = { $to } took { $sent } of { $bytes } bytes and then no more: check paper, cover and cable
printer-cli-unconfirmed = { $bytes } bytes sent to { $to }, without confirmation: look whether the paper came out
printer-cli-confirmed = { $bytes } bytes sent to { $to }: the printer has processed them
printer-cli-unopened = { $why }: check that the printer is on and that the address is right
printer-cli-unwritable = { $path } cannot be written
printer-cli-test-title = Test page
printer-cli-test-columns = { $profile }, { $columns } columns
printer-cli-test-item = Sourdough bread, 2 pieces
printer-cli-test-total = TOTAL

run-config-refused = configuration refused: correct it, the service keeps the one before
