"""The forecaster: sales, stock and catalogue events in; daily demand per item, models and forecast distributions out.

It owns daily demand (with revisions and stock-out flags), the model registry and the last forecast of every item.
It promises that daily demand is the exact sum of the events, and that every known item of a closed day has a forecast.
"""
