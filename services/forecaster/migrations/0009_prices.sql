-- What a product costs per unit, by its last definition: a new one is likened to those of its category at about its price.
-- Unknown for products defined before, until they are defined again.
alter table catalogue_items add column price numeric;
