## L'imprimante : ce qu'il faut faire, et ce qui ne va pas dans sa section.

printer-remedy-paper-out = mettez un rouleau neuf ; ce qui attend s'imprime tout seul
printer-remedy-cover-open = fermez le capot ; ce qui attend s'imprime tout seul
printer-remedy-cutter-error = éteignez l'imprimante, dégagez le papier du massicot, rallumez-la
printer-remedy-printer-error = éteignez et rallumez l'imprimante ; si cela revient, faites-la réparer
printer-remedy-offline = appuyez sur le bouton d'avance du papier, ou éteignez et rallumez l'imprimante
printer-remedy-paper-low = préparez un rouleau neuf
printer-remedy-unreachable = vérifiez que l'imprimante est allumée, son câble et son adresse
printer-journal-refused = rien n'est imprimé tant que le journal ne peut pas écrire : libérez de la place (df -h) ou vérifiez le disque
printer-journal-refused-health = { $error } ; rien n'est imprimé tant qu'il ne peut pas écrire
printer-already-ended = la commande est déjà terminée d'après le journal : elle est laissée
printer-no-voice = connectée, mais l'imprimante n'a répondu à aucune question en { $seconds } s (si elle n'a pas de voie de retour, donnez-lui le profil mute-80)

printer-config-address = adresse d'imprimante « { $address } » incomprise : écrivez usb:VVVV:PPPP, tcp://HÔTE:PORT ou serial:/dev/…?baud=9600
printer-config-profile = imprimante « { $printer } » : profil inconnu « { $profile } » ; connus : { $known }
printer-config-columns = imprimante « { $printer } » : columns = { $columns } est hors limites ; écrivez de 16 à 96
printer-config-drawer-pin = imprimante « { $printer } » : drawer_pin = { $pin } n'existe pas ; écrivez 2 ou 5
printer-config-name = une imprimante n'a pas de nom ; écrivez name = "caisse"

printer-usb-list = la liste des appareils USB ne peut pas être lue
printer-usb-open = l'imprimante { $address } ne peut pas être ouverte
printer-usb-broke = la liaison USB s'est rompue
printer-usb-none = aucune imprimante { $address } n'est branchée : vérifiez le câble et l'alimentation, puis fournil-gateway printer find
printer-usb-several = plusieurs imprimantes répondent à { $address } : ajoutez le numéro de série (usb:0000:0000:SÉRIE) ou le port (usb:0000:0000@1-2) donné par fournil-gateway printer find
printer-usb-access = accès refusé : le compte du service doit être du groupe lp (usermod -aG lp fournil), puis redémarrez le service
printer-usb-busy = un autre programme tient l'imprimante : supprimez sa file CUPS ou arrêtez ce programme
printer-usb-unplugged = l'imprimante n'est plus branchée : vérifiez le câble USB et l'alimentation
printer-usb-stall = l'imprimante a refusé des octets (STALL) ; la liaison est rouverte
printer-cli-no-usb = aucune imprimante USB n'est branchée : vérifiez le câble et l'alimentation
