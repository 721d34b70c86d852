from django.urls import path

from tokens.connect import views

urlpatterns = [
    path("", views.connect_amazon, name="connect-amazon"),
    path("callback/", views.connect_amazon_callback, name="connect-amazon-callback"),
]
