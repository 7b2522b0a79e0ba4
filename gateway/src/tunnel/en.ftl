## The tunnel: where the cloud is, who is believed, why a session ends.

tunnel-resolve = the name { $host } was not found ({ $why }): check the address and the shop's DNS
tunnel-tcp = { $target } does not answer ({ $why }): check that the cloud runs and that nothing closes outgoing port { $port }
tunnel-not-tls = { $target } answers, but not in TLS ({ $why }): check the port, or a captive portal
tunnel-upgrade = { $target } answers, but does not open the tunnel ({ $why }): check that it is a Fournil cloud, up to date, without a proxy that cuts WebSockets
tunnel-busy = { $target } is busy or restarts (HTTP { $status }): the gateway comes back by itself
tunnel-not-a-cloud = { $target } did not answer like a Fournil cloud ({ $why }): check the address
tunnel-too-many-tries = too many tries from this address: try again in { $seconds } s
tunnel-why-silent = no answer
tunnel-why-refused = connection refused
tunnel-why-cut = connection cut
tunnel-why-unreachable = network unreachable
tunnel-why-no-address = no address
tunnel-why-no-name = a name that cannot be verified

tunnel-address = “{ $address }” is not the address of a cloud ({ $why }): write https://name[:port]
tunnel-address-none = it is no Internet address
tunnel-address-no-tls = without TLS nothing is protected
tunnel-address-scheme = https:// is missing
tunnel-address-path = nothing may follow name and port
tunnel-address-host = the name is missing
tunnel-address-user = no user name and no password here
tunnel-address-name = TLS cannot verify this name

tunnel-authority-unreadable = the authority's certificate { $path } cannot be read ({ $why }): it must be a PEM file the gateway can read
tunnel-authority-empty = { $path } holds no certificate: it must be a PEM file
tunnel-tls-setup = TLS cannot be prepared
tunnel-client-unusable = the client certificate { $path } or its key cannot serve ({ $why }): correct [cloud] client_cert and client_key, or ask the cloud for another one
tunnel-client-refused = { $target } refuses this gateway's client certificate ({ $why }): ask for another one (“fournil-cloud gateway-ca issue”) and correct [cloud] client_cert
tunnel-certificate-public = the certificate of { $host } is signed by no public authority: if this cloud has its own, give it (enrol --ca FILE, or ca_file in [cloud])
tunnel-certificate-other = the certificate of { $host } is not signed by the authority { $path }: it may not be your cloud; check the address, then the authority
tunnel-certificate-name = the certificate shown is not for { $host }: check the address, or have the cloud's certificate remade for this name
tunnel-certificate-expired = the certificate of { $host } has expired, or the time of this machine is wrong: check the date here first
tunnel-certificate-early = the certificate of { $host } is not valid yet: the time of this machine is probably wrong, set it
tunnel-certificate-refused = the certificate of { $host } is refused ({ $why }): see the cloud

tunnel-end-stopped = the gateway stops
tunnel-end-goodbye = the cloud closed the session: { $sentence } ({ $code }, { $reason })
tunnel-end-refused = session ended here: { $sentence } ({ $code }, { $reason })
tunnel-end-silent = the cloud says nothing any more
tunnel-end-cut = the connection is cut ({ $why })
tunnel-end-journal = the journal does not answer any more ({ $why })
tunnel-cut-wordless = closed without a word
tunnel-cut-by-cloud = closed by the cloud
tunnel-cut-closed = closed
tunnel-journal-stopped = stopped
tunnel-journal-gap = event { $seq } is missing
tunnel-journal-full = journal full: commands of the cloud wait. Make room on the disk (df -h), or check the printer that holds up the earlier ones (fournil-gateway status)

tunnel-reason-drain = the server restarts, the gateway reconnects by itself
tunnel-reason-superseded = a newer session of this gateway took over
tunnel-reason-heartbeat-lost = nothing has come in for too long: check the Internet connection if it happens again
tunnel-reason-slow-consumer = the other side does not read any more: check the speed of the connection if it happens again
tunnel-reason-resync = both journals must be compared, the session begins again
tunnel-reason-overload = the server has too much to do, the gateway comes back when it was told to
tunnel-reason-malformed = a message cannot be read: update the gateway and the server if it happens again
tunnel-reason-unavailable = the other side cannot record anything at the moment: nothing is lost, the gateway tries again
tunnel-reason-rotate = the cloud asks for a new key, the gateway changes it and reconnects
tunnel-reason-revoked = this gateway was revoked. To put it back into service, get a code on the page Passerelles and run “fournil-gateway enrol --force”
tunnel-reason-unknown-key = the cloud does not know this gateway's key. Enrol it again with a code from the page Passerelles (“fournil-gateway enrol --force”)
tunnel-reason-clone = another machine uses the same identity. Enrol one of the two again
tunnel-reason-version = versions do not fit. Update fournil-gateway on this machine
tunnel-reason-suspended = the account is suspended. See your provider
tunnel-reason-unknown = for a reason this version does not know: update the gateway

tunnel-rotate-credential = the key is a systemd credential: it is changed by enrolling again, then with systemd-creds (see operations.md)
tunnel-rotate-answer = { $target } gave an answer that is not a Fournil cloud's ({ $why })
tunnel-rotate-fingerprint = the cloud shows the fingerprint { $theirs }, here the new key has { $ours }: nothing changes
