-- Stock-out days are few; taking a flag back must not read an item's whole history.
create index daily_demand_censored on daily_demand (tenant, sku, location) where censored;
