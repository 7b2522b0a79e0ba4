## “fournil-gateway doctor”: one line for each thing looked at. The text says what was
## found, `.remedy` what to do.

doctor-mark-ok = ok
doctor-mark-warning = warning
doctor-mark-fault = FAULT
doctor-mark-skipped = not checked

doctor-faults = { $faults ->
    [one] one fault to mend, see above; begin with the first
   *[other] { $faults } faults to mend, see above; begin with the first
}

doctor-label-configuration = configuration
doctor-label-permissions = permissions
doctor-label-disk = disk
doctor-label-service = service
doctor-label-journal = journal
doctor-label-identity = identity
doctor-label-name = DNS
doctor-label-network = network
doctor-label-tls = TLS
doctor-label-time = time
doctor-label-protocol = protocol
doctor-label-cloud = cloud
doctor-label-clock = clock
doctor-label-printer = printer
doctor-label-devices = devices

doctor-of-device = { $device }: { $text }
doctor-not-checked = because { $because }
doctor-because-configuration = the configuration has a fault
doctor-because-permissions = permissions do not allow it
doctor-because-identity = the gateway has no usable identity
doctor-because-name = the cloud's address was not found
doctor-because-network = the cloud could not be reached
doctor-because-tls = the connection could not be secured
doctor-because-protocol = the tunnel did not open

doctor-configuration-read = { $file }, without fault
doctor-configuration-absent = { $file } does not exist: everything is at its defaults, without clock or printer
    .remedy = copy deploy/gateway.example.toml there and describe the devices in it, or give the file with --config
doctor-configuration-faulty = { $fault }
    .remedy = correct the file, then run “fournil-gateway doctor” again

doctor-permissions-private = { $path } is open to the service only (account { $account })
doctor-permissions-state-missing = the folder { $path } does not exist yet
    .remedy = nothing to do if the gateway is new: enrolling makes it; otherwise check state_dir
doctor-permissions-state-unreadable = the folder { $path } cannot be read ({ $why })
    .remedy = check state_dir and the disk
doctor-permissions-state-not-a-folder = { $path } is not a folder
    .remedy = correct state_dir in the configuration
doctor-permissions-state-foreign = the folder { $path } is open to the account { $owner } only
    .remedy = run it with sudo: “sudo fournil-gateway doctor”
doctor-permissions-state-open-to-others = other accounts can write into { $path } (mode { $mode })
    .remedy = run “sudo chmod 700 { $path }”
doctor-permissions-key-open-to-others = { $path } is open to other accounts (mode { $mode }): the gateway refuses to start
    .remedy = run “sudo chmod { $wanted } { $path }”; if somebody may have read the key, enrol again
doctor-permissions-key-foreign = { $path } belongs to account no. { $owner }, not to the one running this (no. { $me })
    .remedy = run it with sudo, or give the folder back to the service: “sudo chown -R fournil: /var/lib/fournil/gateway”
doctor-permissions-device-forbidden = the service (account { $account }) may not use { $path }, which is for the group { $group }
    .remedy = run “sudo usermod -aG { $group } { $account }”, then “sudo systemctl restart fournil-gateway”
doctor-permissions-device-missing = { $path } does not exist: the machine does not see the serial adapter
    .remedy = plug the adapter in again, then “ls -l /dev/serial/by-id” shows the right path for to = "serial:…"
doctor-permissions-device-unreadable = { $path } cannot be looked at ({ $why })
    .remedy = check the path written in to = "serial:…"
doctor-permissions-socket-forbidden = the service runs under another account and does not answer this one
    .remedy = run it with sudo: “sudo fournil-gateway doctor”

doctor-disk-roomy = { $free } MiB free, a safe write takes { $sync_ms } ms
doctor-disk-nearly-full = only { $free } MiB are left in { $folder }
    .remedy = make room (“df -h”, “sudo journalctl --vacuum-size=100M”): { $wanted } MiB is good
doctor-disk-full = the disk is full: { $free } MiB free in { $folder }; without room nothing is printed or clocked
    .remedy = make room now (“df -h”, “sudo journalctl --vacuum-size=100M”); everything goes on by itself
doctor-disk-few-files-left = the disk takes only { $files } more files
    .remedy = “df -i” shows where the small files are: remove some
doctor-disk-no-files-left = the disk takes no more files (out of inodes) in { $folder }
    .remedy = “df -i” shows where the small files are: remove some, everything goes on by itself
doctor-disk-read-only = the disk of { $folder } is read-only: nothing can be recorded
    .remedy = often an SD card or disk at the end of its life: “dmesg | tail” says so; back up, replace it, restart
doctor-disk-not-writable = this account cannot write to { $folder } ({ $why })
    .remedy = run it with sudo; if the fault stays: “sudo chown -R fournil: { $folder }”
doctor-disk-broken = writing to { $folder } fails ({ $why })
    .remedy = the disk is probably damaged: “dmesg | tail” says so; back up and replace it
doctor-disk-silent = the disk of { $folder } does not answer
    .remedy = the disk is probably damaged: “dmesg | tail” says so; restart, then replace it
doctor-disk-slow = the disk takes { $sync_ms } ms to record one thing for good
    .remedy = each receipt waits that long twice: prefer an SSD to an SD card or USB stick

doctor-service-running = running for { $minutes } min (version { $software }), tunnel open
doctor-service-running-offline = running for { $minutes } min (version { $software }), tunnel closed: { $fault }
    .remedy = the lines below say where it is stuck; meanwhile nothing is lost
doctor-service-stopped = the service is not running
    .remedy = run “sudo systemctl start fournil-gateway”; if it stops, “sudo journalctl -u fournil-gateway -n 20” says why
doctor-service-silent = the service runs but does not answer ({ $why })
    .remedy = run “sudo systemctl restart fournil-gateway”

doctor-journal-whole = readable; { $waiting ->
    [0] nothing to send
    [one] one event to send
   *[other] { $waiting } events to send
}
doctor-journal-new = not begun yet, the service makes it
doctor-journal-set-aside = { $segments ->
    [one] one damaged piece was
   *[other] { $segments } damaged pieces were
} set aside; the rest is sound and the cloud has been told
    .remedy = a power cut or a worn disk: “dmesg | tail” says so; think of a UPS
doctor-journal-nearly-full = { $waiting } events wait for the cloud ({ $used } of { $room } KiB)
    .remedy = get the way to the cloud working (lines below) before it is full
doctor-journal-full = full: { $waiting } events wait for the cloud ({ $used } of { $room } KiB); punches stay in the clock
    .remedy = get the way to the cloud working (lines below): everything leaves by itself
doctor-journal-reserve-used = the reserve for a full disk has been used
    .remedy = make room (“df -h”): it comes back by itself
doctor-journal-of-another = { $folder } belongs to another gateway
    .remedy = nothing to do: it is set aside at the start, and not deleted
doctor-journal-damaged = a part is damaged ({ $damage })
    .remedy = run “sudo systemctl restart fournil-gateway”: what can be read is kept, the rest set aside; and check the disk (“dmesg | tail”)
doctor-journal-not-answering = the service's journal does not answer ({ $why })
    .remedy = make room (“df -h”), check the disk (“dmesg | tail”); it goes on by itself
doctor-journal-unreadable = the journal cannot be read ({ $why })
    .remedy = check permissions and disk (“dmesg | tail”)
doctor-journal-silent = reading the journal does not end
    .remedy = the disk is probably damaged: “dmesg | tail” says so

doctor-identity-whole = “{ $name }”, { $company }, enrolled at { $url } (fingerprint { $fingerprint })
doctor-identity-other-address = enrolled at { $url }, but the configuration says { $configured }
    .remedy = unless the cloud has moved, remove url from [cloud]
doctor-identity-key-not-seen = { $path } is not there: if the key is a systemd credential, only the service sees it, and what follows cannot be checked from here
    .remedy = see “fournil-gateway status”; if there is no credential, get a code on the page Passerelles, then “sudo -u fournil fournil-gateway enrol --force --url https://… --code …”
doctor-identity-missing = this gateway is not enrolled: the cloud does not know it yet
    .remedy = get a code on the ERP's page Passerelles, then “sudo -u fournil fournil-gateway enrol --url https://… --code …”
doctor-identity-damaged = { $path } is damaged ({ $why })
    .remedy = get a code on the page Passerelles, then “sudo -u fournil fournil-gateway enrol --force --url https://… --code …”
doctor-identity-unreadable = the identity cannot be read ({ $why })
    .remedy = run it with sudo; otherwise check the disk

doctor-name-found = { $host } is at { $addresses }
doctor-name-is-address = { $host }, nothing to look up
doctor-name-not-found = the name { $host } does not exist
    .remedy = check the address given when enrolling (“identity” above); if it is right, the domain has expired or the shop's DNS lies
doctor-name-resolver-failing = the shop's name service (DNS) finds nothing for { $host } ({ $why })
    .remedy = restart the router; check that another device has Internet; if need be set 1.1.1.1 as DNS
doctor-name-resolver-silent = the shop's name service (DNS) does not answer
    .remedy = check the network cable, restart the router; if need be set 1.1.1.1 as DNS
doctor-name-no-address = the name { $host } exists but leads to no address
    .remedy = whoever keeps the cloud must complete the DNS of { $host } (A or AAAA)

doctor-network-reached = { $address } answers
doctor-network-refused = { $address } refuses the connection
    .remedy = the server is there, but nothing listens on port { $port }: the cloud is stopped, or a firewall refuses; check the port in the address too
doctor-network-silent = { $address } does not answer within { $seconds } s
    .remedy = check that the shop has Internet; if it has, a firewall swallows outgoing port { $port } (router, antivirus, hotel), or the cloud is off
doctor-network-unreachable = no way to { $address }: this machine is not on the Internet
    .remedy = check the cable or Wi-Fi, then the router (“ip route” must show a line “default”)
doctor-network-failed = connecting to { $address } fails ({ $why })
    .remedy = a firewall on this machine may forbid it: open outgoing port { $port }

doctor-tls-verified = certificate for { $host }, verified (signed by { $issuer })
doctor-tls-unknown-authority = the certificate of { $host } is signed by “{ $issuer }”, whom nobody here knows
    .remedy = if the cloud has an authority of its own, give its file (ca_file in [cloud]); otherwise an antivirus or proxy stands in between: have { $host } left out of its inspection
doctor-tls-other-authority = the certificate of { $host } is signed by “{ $issuer }” and not by the cloud's authority ({ $authority })
    .remedy = somebody stands in between (proxy, antivirus), or the cloud has changed its authority: ask whoever keeps it, and enrol again if they confirm
doctor-tls-intercepted = somebody else answers in place of { $host }: “{ $subject }”, signed by “{ $issuer }”
    .remedy = often a hotel's or router's portal that waits for a login, or a proxy: open a browser, log in, or use another network
doctor-tls-wrong-name = the server answers under another name than { $host } (“{ $subject }”)
    .remedy = check the address; if it is right, whoever keeps the cloud must remake the certificate for { $host }
doctor-tls-expired = the certificate of { $host } has been expired since { $limit } (the time here is right)
    .remedy = whoever keeps the cloud must renew it; meanwhile nothing is lost
doctor-tls-expired-or-clock-wrong = the certificate of { $host } is good until { $limit }; here it is { $here }
    .remedy = look first whether that date is right (“timedatectl”); if it is, whoever keeps the cloud must renew the certificate
doctor-tls-not-yet-valid = the certificate of { $host } is good only from { $limit } (the time here is right)
    .remedy = the cloud's time was wrong when the certificate was made: whoever keeps it must remake it
doctor-tls-not-yet-valid-or-clock-wrong = the certificate of { $host } is good only from { $limit }; here it is { $here }
    .remedy = the time here is probably slow: “sudo timedatectl set-ntp true”, and change the machine's battery if it comes back
doctor-tls-clock-wrong = the time of this machine is wrong ({ $here }, the cloud says { $there }): that is why the certificate of { $host } is refused
    .remedy = “sudo timedatectl set-ntp true”; if it comes back after each power cut, change the machine's battery
doctor-tls-certificate-refused = the certificate of { $host } is refused ({ $why })
    .remedy = show this line to whoever keeps the cloud
doctor-tls-plain-http = { $host }:{ $port } speaks unprotected HTTP (it sends visitors to { $sends_to })
    .remedy = a hotel's or router's portal waits for a login: open a browser and log in; otherwise check the port in the address
doctor-tls-not-tls = what answers at { $host }:{ $port } does not speak TLS ({ $why })
    .remedy = check the port in the cloud's address
doctor-tls-cut = the connection is cut in the middle of the TLS handshake ({ $why })
    .remedy = a firewall or antivirus cuts it: have { $host } let through
doctor-tls-silent = { $host } takes the connection and then says nothing
    .remedy = a firewall holds the connection, or the server is overloaded: try again, then have { $host } let through
doctor-tls-authority-unusable = { $why }
    .remedy = correct ca_file in [cloud]
doctor-tls-client-certificate-unusable = { $why }
    .remedy = client_cert and client_key are the two files that “fournil-cloud gateway-ca issue” made for this gateway

doctor-time-right = right, within { $milliseconds } ms of the cloud
doctor-time-off = { $direction ->
    [fast] { $seconds } s ahead of the cloud
   *[slow] { $seconds } s behind the cloud
}
    .remedy = “sudo timedatectl set-ntp true” sets it from the Internet
doctor-time-wrong = { $direction ->
    [fast] WRONG: { $seconds } s ahead of the cloud
   *[slow] WRONG: { $seconds } s behind the cloud
}
    .remedy = “sudo timedatectl set-ntp true” sets it from the Internet; if it comes back after each power cut, change the machine's battery

doctor-protocol-common = version { $version } (the cloud speaks { $min } to { $max })
doctor-protocol-cloud-newer = the cloud speaks versions { $min } to { $max } only, this gateway ends at { $ours }
    .remedy = update the gateway: install the version that goes with this cloud
doctor-protocol-cloud-older = the cloud speaks versions { $min } to { $max } only, this gateway is newer ({ $ours })
    .remedy = whoever keeps the cloud must update it; meanwhile nothing is lost
doctor-protocol-not-a-cloud = what answers is not a Fournil cloud ({ $why })
    .remedy = check the address; if it is right, a proxy cuts WebSockets or the cloud is too old
doctor-protocol-client-certificate-refused = the cloud asks for a client certificate and does not take this gateway's, or gets none ({ $why })
    .remedy = ask whoever keeps the cloud for one (“fournil-cloud gateway-ca issue”) and name it in [cloud] client_cert and client_key
doctor-protocol-cloud-down = the server answers, but the cloud behind it is stopped ({ $why })
    .remedy = whoever keeps the cloud must start it; meanwhile nothing is lost
doctor-protocol-proxy = a proxy forbids the connection ({ $why })
    .remedy = have WebSockets to this server allowed
doctor-protocol-silent = the server is reached but does not open the tunnel
    .remedy = a proxy holds WebSockets back, or the cloud is overloaded: try again, then tell whoever keeps the cloud
doctor-protocol-refused = the cloud takes nobody at the moment ({ $code }, { $reason })
    .remedy = wait some minutes, the gateway tries by itself; if it lasts, tell whoever keeps the cloud

doctor-cloud-known = the cloud knows this gateway
doctor-cloud-cannot-tell = the cloud cannot tell whether it knows this gateway
    .remedy = it is older than the gateway: update it; if the tunnel opens, all is well
doctor-cloud-busy = the cloud does not answer the question at the moment ({ $reason })
    .remedy = try again in a minute
doctor-cloud-silent = the cloud does not answer the question
    .remedy = try again in a minute; if it lasts, tell whoever keeps the cloud
doctor-cloud-unknown = the cloud does not know this gateway's key (“{ $name }”, fingerprint { $fingerprint })
    .remedy = get a code on the page Passerelles, then “sudo -u fournil fournil-gateway enrol --force --url … --code …”
doctor-cloud-revoked = this gateway (“{ $name }”) was revoked in the ERP
    .remedy = if that is a mistake, get a code on the page Passerelles, then “sudo -u fournil fournil-gateway enrol --force --url … --code …”
doctor-cloud-other-name = the cloud is called { $expected }, this gateway calls it { $host }: its signature does not count
    .remedy = enrol with the real name: “sudo -u fournil fournil-gateway enrol --force --url https://{ $expected } --code …”
doctor-cloud-suspended = the company's account is closed
    .remedy = see whoever keeps the cloud

doctor-clock-ok = { $address }, no. { $serial }, { $records } punches of { $capacity }, right to { $drift_s } s
doctor-clock-starting = the service has just begun, nothing is known of { $address } yet
    .remedy = run “fournil-gateway doctor” again in a minute
doctor-clock-log-nearly-full = its memory is nearly full: { $records } punches of { $capacity }
    .remedy = once all punches are in the ERP, clear it in the clock's menu; it is never cleared from here
doctor-clock-log-full = its memory is full or nearly so: { $records } punches of { $capacity }, the next ones may be lost
    .remedy = once all punches are in the ERP, empty it in the clock's menu, today
doctor-clock-clock-time-lost = it shows another day than this one (off by { $drift_s } s)
    .remedy = “fournil-gateway clock set-time --addr { $address }” sets it; if it comes back after a power cut, change its battery
doctor-clock-clock-drift = { $direction ->
    [fast] it is { $drift_s } s ahead
   *[slow] it is { $drift_s } s behind
}
    .remedy = “fournil-gateway clock set-time --addr { $address }” sets it; if the difference is whole hours, check zone
doctor-clock-layout-ambiguous = its memory can be read in several ways
    .remedy = let two people punch, then “fournil-gateway clock dump --addr { $address }”; write layout into its [[clock]]
doctor-clock-busy = { $address } takes the connection but does not answer
    .remedy = another program probably reads it: stop that; otherwise turn the clock off and on
doctor-clock-unreachable = nobody answers at { $address }
    .remedy = check its power, its cable, and that the address is the one in its menu (Comm > Ethernet)
doctor-clock-comm-key-refused = { $address } refuses the comm key
    .remedy = copy the number from its menu (Comm > PC connection) into comm_key
doctor-clock-serial-mismatch = { $address } is another clock: no. { $serial }, and { $expected } is expected
    .remedy = if it was replaced, write { $serial } into expected_serial; otherwise check the address
doctor-clock-not-a-clock = what answers at { $address } is not a clock
    .remedy = check address and port (usually 4370)
doctor-clock-odd = { $address } answers oddly ({ $why })
    .remedy = turn the clock off and on; if it comes back, show this line to whoever installed it
doctor-clock-silent = { $address } takes the connection and then says nothing
    .remedy = turn the clock off and on; stop any other program that reads it
doctor-clock-push-calls = no. { $serial }, calls { $address }
doctor-clock-push-starting = no. { $serial } has not called { $address } yet
    .remedy = run “fournil-gateway doctor” again in a minute; otherwise check the server's address in its menu (Comm > Cloud)
doctor-clock-push-idle = nobody listens at { $address }: the service does not run
    .remedy = “sudo systemctl start fournil-gateway”; the clock keeps its punches until then
doctor-clock-push-silent = no. { $serial } calls { $address } no more
    .remedy = check its power, its network, and the server's address in its menu (Comm > Cloud)
doctor-clock-push-key-refused = no. { $serial } calls with another key
    .remedy = enter the same key in its menu and in key of its [[push.clock]]
doctor-clock-push-not-listening = { $address } cannot be listened on ({ $detail })
    .remedy = write an address of this machine (“ip a”) and a free port (“ss -ltnp”) into listen

doctor-printer-ok = { $address }, ready, with paper
doctor-printer-starting = the service has just begun, nothing is known of { $address } yet
    .remedy = run “fournil-gateway doctor” again in a minute
doctor-printer-paper-low = ready; the roll comes to its end
    .remedy = get a new roll ready
doctor-printer-mute = { $address } takes the connection but answers no question
    .remedy = if it has no way to answer, write profile = "mute-80"; otherwise turn it off and on
doctor-printer-busy = { $address } serves another program
    .remedy = stop the other program that prints on it
doctor-printer-unreachable = nobody answers at { $address }
    .remedy = check that it is on, its cable and its address (its self-test slip shows it)
doctor-printer-paper-out = out of paper
    .remedy = put in a new roll; what waits is printed by itself
doctor-printer-cover-open = the cover is open
    .remedy = close the cover; what waits is printed by itself
doctor-printer-offline = it answers but does not print
    .remedy = press its paper feed button, or turn it off and on
doctor-printer-cutter-error = the cutter is jammed
    .remedy = turn it off, free the paper from the cutter, turn it on
doctor-printer-printer-error = it reports a fault
    .remedy = turn it off and on; if it comes back, have it repaired
doctor-printer-journal-full = nothing is printed, the journal cannot record any more
    .remedy = make room (“df -h”): everything goes on by itself
doctor-printer-journal-broken = nothing is printed, the journal cannot write any more
    .remedy = check the disk (“dmesg | tail”)
doctor-printer-odd = unknown state ({ $why })
    .remedy = update the gateway, or turn the printer off and on
doctor-printer-silent = { $address } takes the connection and then says nothing
    .remedy = turn the printer off and on

doctor-devices-none = neither clock nor printer in { $file }
    .remedy = add [[clock]] and [[printer]], then “sudo systemctl restart fournil-gateway”
