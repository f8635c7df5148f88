"""Forecasts: sample paths of daily volume, then money; every statistic comes from the same paths.

`paths.forecast` forecasts one volume and says on which rung of history it stands;
`portfolio.forecast_portfolio` does many, coupled and calibrated; `money` prices paths at dated
prices, `whatif` changes them first, `statistics` reads off what a person asks for.
"""
