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

printer-config-address = adresse d'imprimante « { $address } » incomprise : écrivez tcp://HÔTE:PORT ou serial:/dev/…?baud=9600
printer-config-usb = adresse d'imprimante « { $address } » : l'USB direct n'est pas pris en charge par cette version ; reliez l'imprimante par le réseau (tcp://HÔTE:9100) ou par un adaptateur série (serial:/dev/…)
printer-config-profile = imprimante « { $printer } » : profil inconnu « { $profile } » ; connus : { $known }
printer-config-columns = imprimante « { $printer } » : columns = { $columns } est hors limites ; écrivez de 16 à 96
printer-config-drawer-pin = imprimante « { $printer } » : drawer_pin = { $pin } n'existe pas ; écrivez 2 ou 5
printer-config-name = une imprimante n'a pas de nom ; écrivez name = "caisse"
