-- Which supplier another code stands for by the newest word of the catalogue; '': nobody knows, or it may be several.
create table supplier_codes (
  tenant text not null,
  code text not null,
  supplier text not null,
  primary key (tenant, code)
);
select protect('supplier_codes');

-- Terms are kept under the code they were told with, so that an alias works whichever of the two came first, and its end
-- gives them back. This is what they come to: the same terms under their supplier's own code.
create view terms_of_supply with (security_invoker = true) as
select x.tenant, x.sku, x.location, coalesce(c.supplier, x.supplier) as supplier, x.supplier as told_as,
  x.lead_time_days, x.lead_time_sd_days, x.unit_cost, x.currency, x.moq, x.pack, x.price_breaks, x.discount, x.priority,
  x.active, x.defined_at
from supplier_items x left join supplier_codes c on c.tenant = x.tenant and c.code = x.supplier;
