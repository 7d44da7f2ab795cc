package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	emr "github.com/aws/aws-sdk-go-v2/service/emrcontainers/types"
)

// The unions of the models: Go has an interface for each, and a type for each member.
var unions = map[reflect.Type]map[string]func() any{
	reflect.TypeFor[emr.ContainerInfo](): {"eksInfo": func() any { return &emr.ContainerInfoMemberEksInfo{} }},
}

// {"$bytes": base64}, {"$fill": [byte, count]}: what JSON has no form for. {"$time": seconds} likewise.
func bytesOf(from any) ([]byte, bool) {
	object, ok := from.(map[string]any)
	if !ok {
		return nil, false
	}
	if text, ok := object["$bytes"].(string); ok {
		data, err := base64.StdEncoding.DecodeString(text)
		return data, err == nil
	}
	if pair, ok := object["$fill"].([]any); ok && len(pair) == 2 {
		value, _ := pair[0].(json.Number).Int64()
		count, _ := pair[1].(json.Number).Int64()
		return bytes.Repeat([]byte{byte(value)}, int(count)), true
	}
	return nil, false
}

func fillUnion(to reflect.Value, from any) error {
	for name, value := range from.(map[string]any) {
		create := unions[to.Type()][name]
		if create == nil {
			return fmt.Errorf("no member %s of %s", name, to.Type())
		}
		member := reflect.ValueOf(create())
		if err := fill(member.Elem().FieldByName("Value"), value); err != nil {
			return err
		}
		to.Set(member)
	}
	return nil
}

// Sets to, of whatever type the SDK has there, from decoded JSON with the names of AWS's model.
func fill(to reflect.Value, from any) error {
	if from == nil {
		return nil
	}
	if to.Type() == reflect.TypeFor[time.Time]() {
		seconds, err := from.(map[string]any)["$time"].(json.Number).Float64()
		to.Set(reflect.ValueOf(time.UnixMilli(int64(seconds * 1000)).UTC()))
		return err
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		return fill(to.Elem(), from)
	case reflect.Interface:
		if to.Type() == reflect.TypeFor[io.Reader]() {
			data, _ := bytesOf(from)
			to.Set(reflect.ValueOf(bytes.NewReader(data)))
			return nil
		}
		return fillUnion(to, from)
	case reflect.Struct:
		for name, value := range from.(map[string]any) {
			field := to.FieldByName(strings.ToUpper(name[:1]) + name[1:])
			if !field.IsValid() {
				return fmt.Errorf("no member %s of %s", name, to.Type())
			}
			if err := fill(field, value); err != nil {
				return err
			}
		}
	case reflect.Slice:
		if to.Type().Elem().Kind() == reflect.Uint8 {
			data, ok := bytesOf(from)
			if !ok {
				return fmt.Errorf("no bytes: %v", from)
			}
			to.SetBytes(data)
			return nil
		}
		items := from.([]any)
		to.Set(reflect.MakeSlice(to.Type(), len(items), len(items)))
		for i, item := range items {
			if err := fill(to.Index(i), item); err != nil {
				return err
			}
		}
	case reflect.Map:
		to.Set(reflect.MakeMap(to.Type()))
		for name, value := range from.(map[string]any) {
			item := reflect.New(to.Type().Elem()).Elem()
			if err := fill(item, value); err != nil {
				return err
			}
			to.SetMapIndex(reflect.ValueOf(name).Convert(to.Type().Key()), item)
		}
	case reflect.String:
		text, ok := from.(string)
		if !ok {
			return fmt.Errorf("no text: %v", from)
		}
		to.SetString(text)
	case reflect.Bool:
		to.SetBool(from.(bool))
	case reflect.Int32, reflect.Int64:
		number, err := from.(json.Number).Int64()
		to.SetInt(number)
		return err
	case reflect.Float32, reflect.Float64:
		number, err := from.(json.Number).Float64()
		to.SetFloat(number)
		return err
	default:
		return fmt.Errorf("no way to fill %s", to.Type())
	}
	return nil
}
