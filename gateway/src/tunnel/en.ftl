## The tunnel: where the cloud is, who is believed, why a session ends.

tunnel-resolve = the name { $host } was not found ({ $why }): check the address and the shop's DNS
tunnel-tcp = { $target } does not answer ({ $why }): check that the cloud runs and that nothing closes outgoing port { $port }
tunnel-not-tls = { $target } answers, but not in TLS ({ $why }): check the port, or a captive portal
tunnel-upgrade = { $target } answers, but does not open the tunnel ({ $why }): check that it is a Fournil cloud, up to date, without a proxy that cuts WebSockets
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
tunnel-certificate-public = the certificate of { $host } is signed by no public authority: if this cloud has its own, give it (enrol --ca FILE, or ca_file in [cloud])
tunnel-certificate-other = the certificate of { $host } is not signed by the authority { $path }: it may not be your cloud; check the address, then the authority
tunnel-certificate-name = the certificate shown is not for { $host }: check the address, or have the cloud's certificate remade for this name
tunnel-certificate-expired = the certificate of { $host } has expired, or the time of this machine is wrong: check the date here first
tunnel-certificate-early = the certificate of { $host } is not valid yet: the time of this machine is probably wrong, set it
tunnel-certificate-refused = the certificate of { $host } is refused ({ $why }): see the cloud

tunnel-end-stopped = the gateway stops
tunnel-end-goodbye = the cloud closed the session ({ $code }, { $reason })
tunnel-end-revoked = the cloud closed the session ({ $code }, { $reason }): this gateway was revoked. To put it back into service, get a code on the page Passerelles and run “fournil-gateway enrol --force”
tunnel-end-unknown-key = the cloud closed the session ({ $code }, { $reason }): the cloud does not know this gateway's key. Enrol it again with a code from the page Passerelles (“fournil-gateway enrol --force”)
tunnel-end-clone = the cloud closed the session ({ $code }, { $reason }): another machine uses the same identity. Enrol one of the two again
tunnel-end-version = the cloud closed the session ({ $code }, { $reason }): versions do not fit. Update fournil-gateway on this machine
tunnel-end-suspended = the cloud closed the session ({ $code }, { $reason }): the account is suspended. See your provider
tunnel-end-refused = session refused ({ $code }): { $reason }
tunnel-end-silent = the cloud says nothing any more
tunnel-end-cut = the connection is cut ({ $why })
tunnel-end-journal = the journal does not answer any more ({ $why })
tunnel-cut-wordless = closed without a word
tunnel-cut-by-cloud = closed by the cloud
tunnel-cut-closed = closed
tunnel-journal-stopped = stopped
tunnel-journal-gap = event { $seq } is missing
tunnel-journal-full = journal full: commands of the cloud wait. Make room on the disk (df -h), or check the printer that holds up the earlier ones (fournil-gateway status)
