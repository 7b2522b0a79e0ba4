recipes-nav = Recettes
recipes-title = Recettes
recipes-empty = Aucune recette.
recipes-next = Recettes suivantes
recipes-yield = Donne { $quantity }
recipes-cost = Coût d'une fournée (DA)
recipes-cost-unknown = Coût inconnu : un ingrédient n'a pas encore de valeur en stock.
