## The printer: what to do, and what is wrong in its section.

printer-remedy-paper-out = put in a new roll; what waits is printed by itself
printer-remedy-cover-open = close the cover; what waits is printed by itself
printer-remedy-cutter-error = turn the printer off, free the paper from the cutter, turn it on
printer-remedy-printer-error = turn the printer off and on; if it comes back, have it repaired
printer-remedy-offline = press the paper feed button, or turn the printer off and on
printer-remedy-paper-low = get a new roll ready
printer-remedy-unreachable = check that the printer is on, its cable and its address
printer-journal-refused = nothing is printed while the journal cannot write: make room (df -h) or check the disk
printer-journal-refused-health = { $error }; nothing is printed while it cannot write
printer-already-ended = the journal says that the command has ended: it is left alone
printer-no-voice = connected, but the printer answered no question within { $seconds } s (if it has no way to answer, give it the profile mute-80)

printer-config-address = printer address “{ $address }” is not understood: write usb:VVVV:PPPP, tcp://HOST:PORT or serial:/dev/…?baud=9600
printer-config-profile = printer “{ $printer }”: unknown profile “{ $profile }”; known: { $known }
printer-config-columns = printer “{ $printer }”: columns = { $columns } is out of range; write 16 to 96
printer-config-drawer-pin = printer “{ $printer }”: drawer_pin = { $pin } does not exist; write 2 or 5
printer-config-name = a printer has no name; write name = "caisse"

printer-usb-list = the list of USB devices cannot be read
printer-usb-open = the printer { $address } cannot be opened
printer-usb-broke = the USB connection broke
printer-usb-none = no printer { $address } is plugged in: check the cable and the power, then fournil-gateway printer find
printer-usb-several = several printers answer to { $address }: add the serial number (usb:0000:0000:SERIAL) or the port (usb:0000:0000@1-2) that fournil-gateway printer find gives
printer-usb-access = access denied: the service's account must be in the group lp (usermod -aG lp fournil); then restart the service
printer-usb-busy = another program holds the printer: delete its CUPS queue or stop that program
printer-usb-unplugged = the printer is no longer plugged in: check the USB cable and the power
printer-usb-stall = the printer refused bytes (STALL); the connection is opened again
printer-cli-no-usb = no USB printer is plugged in: check the cable and the power
